import { describe, expect, test } from 'vitest'
import type { Structure } from './app.ts'
import { defaultStructure, mergeStructure, parseScale, routedTypeOf, structureOfBuild } from './structure.ts'
import { refused } from './testdata/refused.ts'

const build = { procfile: { web: 'a', worker: 'b' } }
const format = (why: string): object => ({ illogical: `Invalid scaling format: ${why}` })
const noType = (type: string): object => ({ unknown: `Container type ${type} does not exist in application` })

describe('section 5, Processes: what may be asked for', () => {
  const good: readonly (readonly [raw: unknown, want: Structure])[] = [
    [{ web: 3 }, { web: 3 }],
    [
      { web: '3', worker: 0 },
      { web: 3, worker: 0 },
    ],
    [{ cmd: 1 }, { cmd: 1 }],
    [{ web: 1000 }, { web: 1000 }],
    [{ web: '-0' }, { web: 0 }],
    [{}, {}],
  ]
  for (const [raw, want] of good) test(JSON.stringify(raw), () => expect(parseScale(raw, build)).toEqual(want))

  const bad: readonly (readonly [raw: unknown, want: object])[] = [
    [{ web: 'three' }, format('web has no whole number: three')],
    [{ web: 1.5 }, format('web has no whole number: 1.5')],
    [{ web: null }, format('web has no whole number: null')],
    [{ web: true }, format('web has no whole number: true')],
    [{ web: '' }, format('web has no whole number: ')],
    [{ web: '0x10' }, format('web has no whole number: 0x10')],
    [{ web: -1 }, format('Must be greater than or equal to zero')],
    [{ web: 1001 }, format('web can have at most 1000 processes')],
    [{ web: '999999999999999' }, format('web can have at most 1000 processes')],
    [[], format('[] is no object of process types and numbers')],
    ['web=3', format('web=3 is no object of process types and numbers')],
    [
      Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`t${i}`, 1])),
      format('at most 100 process types can be named'),
    ],
    [{ cron: 1 }, noType('cron')],
    [{ constructor: 1 }, noType('constructor')],
    [JSON.parse('{"__proto__":1}'), noType('__proto__')],
  ]
  for (const [raw, want] of bad)
    test(`refused: ${JSON.stringify(raw).slice(0, 40)}`, () =>
      expect(refused(() => parseScale(raw, build))).toEqual(want))

  test('refused: without a build', () => {
    expect(refused(() => parseScale({ web: 'x' }, null))).toEqual({
      illogical: 'No build associated with this release',
    })
  })
})

test('section 5, Processes: types that are not named keep their counts', () => {
  const current = { web: 1, worker: 2 }
  expect(mergeStructure(current, { web: 3 })).toEqual({ web: 3, worker: 2 })
  expect(mergeStructure(current, { worker: 2 })).toBe(current)
  expect(mergeStructure(current, {})).toBe(current)
  expect(mergeStructure({}, { constructor: 0 })).toEqual({ constructor: 0 })
})

const image = { image: 'x', procfile: {}, sha: '', dockerfile: '' }
const imageWithWeb = { ...image, procfile: { web: 'a' } }
const dockerfile = { image: 'shop', procfile: {}, sha: 'abc', dockerfile: 'FROM x' }
const slug = { image: 'home/shop:git-abc/push/slug.tgz', procfile: {}, sha: 'abc', dockerfile: '' }
const buildpack = { ...slug, image: 'shop:git-abc' }
const slugWithWeb = { ...slug, procfile: { web: 'a', worker: 'b' } }
const slugWithWorker = { ...slug, procfile: { worker: 'b' } }

describe('section 8: what an app starts with', () => {
  const rows = [
    ['an image', image, { cmd: 1 }],
    ['an image with a web process', imageWithWeb, { web: 1 }],
    ['an image with another', { ...image, procfile: { worker: 'b' } }, { cmd: 1 }],
    ['a Dockerfile', dockerfile, { cmd: 1 }],
    ['a Dockerfile with a web process', { ...dockerfile, procfile: { web: 'a' } }, { web: 1 }],
    ['a slug without Procfile', slug, { web: 1 }],
    ['a slug with a web process', slugWithWeb, { web: 1 }],
    ['a slug with another', slugWithWorker, {}],
    ['an image of buildpacks', buildpack, { web: 1 }],
  ] as const
  for (const [name, built, want] of rows) test(name, () => expect(defaultStructure(built)).toEqual(want))
})

describe('section 8: what a build is deployed with', () => {
  const rows = [
    ['the first', {}, slugWithWeb, null, { web: 1 }],
    ['the next keeps counts', { web: 3, worker: 2 }, slugWithWeb, slug, { web: 3, worker: 2 }],
    ['even none', { web: 0 }, slugWithWeb, slug, { web: 0 }],
    ['another kind', { web: 3, worker: 2 }, dockerfile, slug, { web: 0, worker: 2, cmd: 1 }],
    ['and back', { web: 0, worker: 2, cmd: 4 }, slugWithWeb, dockerfile, { web: 1, worker: 2, cmd: 0 }],
    ['another kind with nothing by default', { cmd: 4 }, slugWithWorker, image, { cmd: 0 }],
    ['scaled before there was a build', { web: 2 }, slugWithWeb, null, { web: 2 }],
  ] as const
  for (const [name, current, built, before, want] of rows)
    test(name, () => expect(structureOfBuild(current, built, before)).toEqual(want))
})

describe('section 8: the type that requests go to has processes, if one has', () => {
  const rows: readonly (readonly [structure: Structure, want: string | null])[] = [
    [{ web: 1 }, 'web'],
    [{ web: 1, cmd: 1 }, 'web'],
    [{ web: 0, cmd: 1 }, 'cmd'],
    [{ web: 0, cmd: 0 }, 'web'],
    [{ cmd: 0, worker: 1 }, 'cmd'],
    [{ worker: 1 }, null],
    [{}, null],
  ]
  for (const [structure, want] of rows)
    test(JSON.stringify(structure), () => expect(routedTypeOf(structure)).toBe(want))
})
