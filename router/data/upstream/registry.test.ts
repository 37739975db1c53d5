import { expect, test } from 'vitest'
import { UpstreamStage } from '#test/support/upstream-stage.ts'
import type { Upstream, UpstreamId } from '../../model/upstream.ts'
import { standardUpstreamSettings as settings } from '../../model/upstream-settings.ts'
import { UpstreamRegistry } from './registry.ts'

const id = 'test/a:80' as UpstreamId
const one: Upstream = { id, endpoints: [{ address: '127.0.0.1', port: 1 }], settings }
const none: Upstream = { id, endpoints: [], settings }

/** What became known in order, whether a route refers to it at the end, and whether it is still the same object then. */
const cases: [name: string, steps: (Upstream | 'delete' | 'reset')[], referred: boolean, kept: boolean][] = [
  ['asked for by a route before it is known', [], true, true],
  ['asked for by a route that is gone', [], false, false],
  ['with endpoints, and no route yet', [one], false, true],
  ['without endpoints, and a route', [none], true, true],
  ['without endpoints, and no route', [none], false, false],
  ['deleted, and a route is left', [one, 'delete'], true, true],
  ['deleted, and no route is left', [one, 'delete'], false, false],
  ['deleted, and back again', [one, 'delete', one], false, true],
  ['not brought by a reset', [one, 'reset'], false, false],
  ['scaled to zero and back', [one, none, one], false, true],
]
for (const [name, steps, referred, kept] of cases) {
  test(name, () => {
    const registry = new UpstreamRegistry(new UpstreamStage())
    const upstream = registry.get(id)
    for (const step of steps) {
      if (step === 'reset') registry.retain(new Set())
      else if (step === 'delete') registry.apply({ upserts: [], deletes: [id] })
      else registry.apply({ upserts: [step], deletes: [] })
      expect(registry.get(id)).toBe(upstream)
    }
    registry.prune(() => referred)
    expect(registry.get(id) === upstream).toBe(kept)
  })
}

test('whoever holds an upstream sees its endpoints come and go', () => {
  const registry = new UpstreamRegistry(new UpstreamStage())
  const upstream = registry.get(id)
  expect(upstream.available).toBe(false)
  registry.apply({ upserts: [one], deletes: [] })
  expect(upstream.available).toBe(true)
  registry.apply({ upserts: [], deletes: [id] })
  expect(upstream.available).toBe(false)
})

test('what lost its last route after its last endpoint is forgotten too', () => {
  const registry = new UpstreamRegistry(new UpstreamStage())
  const upstream = registry.get(id)
  registry.apply({ upserts: [one], deletes: [] })
  registry.apply({ upserts: [], deletes: [id] })
  registry.prune(() => true)
  registry.prune(() => false)
  expect(registry.get(id)).not.toBe(upstream)
})
