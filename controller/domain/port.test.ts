import { describe, expect, test } from 'vitest'
import { decidePort, exposedPort, type PortFacts } from './port.ts'
import { refused } from './testdata/refused.ts'

const plain: PortFacts = { config: { values: {}, registry: {} }, kind: 'image', routable: true, ownRegistry: true }
const set = { values: { PORT: '8080' }, registry: {} }
const foreign = { values: {}, registry: { username: 'u' } }
const known = (port: number | null): object => ({ kind: 'known', port })
const needed = { illogical: 'PORT needs to be set in the config when using a private registry' }

const rows: readonly (readonly [name: string, facts: Partial<PortFacts>, want: object])[] = [
  ['set', { config: set }, known(8080)],
  ['set for a slug', { config: set, kind: 'slug' }, known(8080)],
  ['a slug', { kind: 'slug' }, known(5000)],
  ['an image of buildpacks', { kind: 'buildpack' }, known(5000)],
  ['a slug from a foreign registry', { kind: 'slug', ownRegistry: false }, known(5000)],
  ['an image', {}, { kind: 'exposed' }],
  ['a Dockerfile', { kind: 'dockerfile', routable: false }, { kind: 'exposed' }],
  ['a foreign registry', { config: foreign }, needed],
  ['a foreign registry, set', { config: { ...foreign, values: { PORT: '80' } } }, known(80)],
  ['a foreign registry, not routable', { config: foreign, routable: false }, known(null)],
  ['no registry of its own', { ownRegistry: false }, needed],
  ['no registry of its own, not routable', { ownRegistry: false, routable: false }, known(null)],
]

describe('section 8, PORT', () => {
  for (const [name, facts, want] of rows)
    test(name, () => {
      let got: unknown
      const refusal = refused(() => {
        got = decidePort({ ...plain, ...facts })
      })
      expect(got ?? refusal).toEqual(want)
    })

  test('what the image exposes', () => expect(exposedPort(3000, true)).toBe(3000))
  test('nothing, and nobody routes to it', () => expect(exposedPort(null, false)).toBeNull())
  test('nothing, though it is routed to', () => {
    const message = 'Expose a port or make the app non routable by changing the process type'
    expect(refused(() => exposedPort(null, true))).toEqual({ illogical: message })
  })
})
