import { expect, test } from 'vitest'
import type { Secret } from '#kube/types.ts'
import { SharedTicketKeys, ticketKeysSecret } from './shared-ticket-keys.ts'

const good = Buffer.alloc(48, 1).toString('base64')

function secret(data: unknown): Secret {
  return { metadata: { name: 'deis-router-ticket-keys', namespace: 'deis' }, data: data as Record<string, string> }
}

const rows: readonly (readonly [name: string, data: unknown, since: number, says: string | null])[] = [
  ['newer ones', { 'since-20': good }, 20_000, null],
  ['empty, as the chart makes it', {}, 10_000, null],
  ['no data at all', undefined, 10_000, null],
  ['data that is no map', 'x', 10_000, null],
  ['edited by hand', { 'since-20': 'x', note: 'y' }, 10_000, 'the last good ones stay in use'],
]
for (const [name, data, since, says] of rows) {
  test(`after a good one: ${name}`, () => {
    const keys = new SharedTicketKeys(ticketKeysSecret('deis'))
    keys.apply({ kind: 'upsert', object: secret({ 'since-10': good }) })
    keys.apply({ kind: 'upsert', object: secret(data) })
    expect(keys.keys.map(key => key.since)).toEqual([since])
    // Of what is only remembered the leader has to make a follower.
    expect(keys.stored.length).toBe(since === 20_000 ? 1 : 0)
    const problems = keys.problems()
    expect(problems.length > 0).toBe(says !== null)
    for (const { message, object } of problems) {
      expect(object).toEqual({ kind: 'Secret', namespace: 'deis', name: 'deis-router-ticket-keys' })
      expect(message).toContain(says)
      expect(message).not.toContain(good)
    }
  })
}

test('a deleted Secret leaves the last good keys, and no Problem', () => {
  const keys = new SharedTicketKeys(ticketKeysSecret('deis'))
  keys.apply({ kind: 'reset', objects: [secret({ 'since-10': good, x: '' })] })
  const { keys: before } = keys
  keys.apply({ kind: 'delete', object: secret({}) })
  expect([keys.keys, keys.problems()]).toEqual([before, []])
  keys.apply({ kind: 'reset', objects: [] })
  expect(keys.keys).toBe(before)
})
