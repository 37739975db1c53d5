// What every store promises of domains and certificates.

import { describe, expect, test } from 'vitest'
import { GoneError } from '../store.ts'
import { all, fresh, newApp, newCertificate, type SuiteStage } from './stage.ts'

export function domainSuite(stage: SuiteStage): void {
  test('domains and their certificates', async () => {
    const { id, owner } = await newApp(stage.store)
    const names = [`*.${id}.example.com`, `Www.${id}.example.com`, id]
    for (const domain of names) await stage.store.domains.create({ app: id, owner, domain })
    expect((await stage.store.domains.list(id, all)).results.map(row => row.domain)).toEqual(names.toSorted())
    expect(await stage.store.domains.find(`WWW.${id}.Example.com`)).toMatchObject({
      domain: names[1],
      certificate: null,
    })
    const [b, a] = [fresh('b-cert'), fresh('a-cert')]
    for (const name of [b, a]) await stage.store.certificates.create(newCertificate(owner, name))
    await stage.store.domains.attach(names[2]!, b)
    await stage.store.domains.attach(names[1]!, a)
    await stage.store.domains.attach(names[0]!, b)
    expect((await stage.store.certificates.ofApp(id)).map(row => [row.name, row.domains])).toEqual([
      [a, [names[1]]],
      [b, [names[0], names[2]].toSorted()],
    ])
    await expect(stage.store.domains.attach(id, 'none')).rejects.toBeInstanceOf(GoneError)
    await stage.store.certificates.delete(b)
    expect(await stage.store.domains.find(id)).toMatchObject({ certificate: null })
    await stage.store.domains.attach(names[1]!, null)
    expect(await stage.store.certificates.ofApp(id)).toEqual([])
    await stage.store.domains.delete(id)
    expect(await stage.store.domains.find(id)).toBeNull()
  })

  describe('a wildcard and a name below it', () => {
    /** What somebody else's app has, what is asked for, whether the two come together. */
    const cases: [has: string, asked: string, together: boolean][] = [
      ['www.TREE', '*.TREE', true],
      ['*.TREE', 'shop.TREE', true],
      ['*.TREE', 'a.b.c.TREE', true],
      ['*.TREE', '*.sub.TREE', true],
      ['*.sub.TREE', '*.TREE', true],
      ['*.TREE', 'TREE', false],
      ['TREE', '*.TREE', false],
      ['www.TREE', 'shop.TREE', false],
      ['*.sub.TREE', 'other.TREE', false],
      ['wwwTREE', '*.TREE', false],
      // For the unique index to refuse.
      ['*.TREE', '*.TREE', false],
    ]
    for (const [has, asked, together] of cases)
      test(`${has}, then ${asked}`, async () => {
        const tree = `${fresh('Tree')}.Example`
        const { id, owner } = await newApp(stage.store)
        const other = await newApp(stage.store)
        await stage.store.domains.create({ app: id, owner, domain: has.replace('TREE', tree) })
        const domain = asked.replace('TREE', tree).toUpperCase()
        expect(await stage.store.domains.overlapsOthers(domain, other.owner)).toBe(together)
        expect(await stage.store.domains.overlapsOthers(domain, owner)).toBe(false)
        await stage.store.grants.add(id, other.owner)
        expect(await stage.store.domains.overlapsOthers(domain, other.owner)).toBe(false)
      })

    // Two that asked at once would each have seen that there was none.
    test('added at once, the second sees the first', async () => {
      const tree = `${fresh('tree')}.example`
      const [one, two] = [await newApp(stage.store), await newApp(stage.store)]
      const asked = Promise.withResolvers<void>()
      const first = stage.store.transaction(async rows => {
        const answer = await rows.domains.overlapsOthers(`*.${tree}`, one.owner)
        asked.resolve()
        // As many questions as the second would need to be through, did it not wait.
        for (let i = 0; i < 20; i++) await rows.apps.find(one.id)
        await rows.domains.create({ app: one.id, owner: one.owner, domain: `*.${tree}` })
        return answer
      })
      await asked.promise
      const second = stage.store.transaction(rows => rows.domains.overlapsOthers(`deep.www.${tree}`, two.owner))
      expect(await Promise.all([first, second])).toEqual([false, true])
    })
  })

  test('certificates, by id, of one owner', async () => {
    const { owner } = await newApp(stage.store)
    const made = []
    for (const prefix of ['z', 'a', 'm'])
      made.push(await stage.store.certificates.create(newCertificate(owner, fresh(prefix))))
    expect(made[0]).toMatchObject({ ...newCertificate(owner, made[0]!.name), domains: [] })
    expect(await stage.store.certificates.list(owner, all)).toEqual({ count: 3, results: made })
    expect(await stage.store.certificates.find(owner, made[1]!.name)).toEqual(made[1])
    expect(await stage.store.certificates.find('nobody', made[1]!.name)).toBeNull()
    expect(await stage.store.certificates.list('nobody', all)).toEqual({ count: 0, results: [] })
  })
}
