import { expect, test } from 'vitest'
import type { Secret } from '#kube/types.ts'
import { Collection } from './collection.ts'
import { SecretWatches } from './secret-watches.ts'

const wanted = (...names: string[]) =>
  new Map(names.map(name => [`a/${name}`, { kind: 'Secret', namespace: 'a', name }]))

function bench() {
  const collections = new Map<string, Collection<Secret>>()
  const failing = new Set<string>()
  const heard: string[] = []
  const watches = new SecretWatches({
    source: {
      secret: (_namespace, name) => {
        const collection = collections.get(name) ?? new Collection<Secret>()
        collections.set(name, collection)
        return collection
      },
      listenSecret: () => null,
      states: () =>
        Array.from(failing, name => ({
          resource: `secret a/${name}`,
          connected: false,
          synced: false,
          events: 0,
          relists: 0,
          reconnects: 0,
          lastError: 'the server answered 500',
        })),
      problems: () => [],
    },
    heard: (_namespace, name, { kind }) => heard.push(`${kind} ${name}`),
    failed: () => {},
  })
  return { watches, collections, failing, heard }
}

const names = Array.from({ length: 20 }, (_, index) => `s${index}`)

test('those that fail make room for others, and stay unsettled', async () => {
  const { watches, collections, failing } = bench()
  watches.want(wanted(...names))
  expect(collections.size).toBe(16)
  for (const name of names.slice(0, 3)) failing.add(name)
  watches.look()
  expect(collections.size).toBe(19)
  expect(watches.unsettled()).toHaveLength(20)
  await watches.stop()
})

test('those no longer wanted make room for others and are silent', async () => {
  const { watches, collections, heard } = bench()
  watches.want(wanted(...names))
  watches.want(wanted(...names.slice(10)))
  expect(collections.size).toBe(20)
  for (const collection of collections.values()) collection.replace([])
  while (watches.unsettled().length > 0) await new Promise(resolve => setImmediate(resolve))
  expect(heard.sort()).toEqual(
    names
      .slice(10)
      .map(name => `reset ${name}`)
      .sort(),
  )
  await watches.stop()
})

test('which of them are wanted since a time', async () => {
  const { watches } = bench()
  watches.want(wanted('old'))
  const time = performance.now() + 1
  while (performance.now() < time) await new Promise(resolve => setImmediate(resolve))
  watches.want(wanted('old', 'new'))
  expect(watches.unsettledSince(time)).toEqual(['a/new'])
  expect(watches.unsettled()).toEqual(['a/old', 'a/new'])
  await watches.stop()
})
