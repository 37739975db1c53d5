import { describe, expect, test } from 'vitest'
import type { AppId, Build } from './app.ts'
import { noConfig } from './config.ts'
import { dateText } from './date-text.ts'
import type { DesiredRelease } from './desired-app.ts'
import { environmentOf } from './environment.ts'

const app = { id: 'shop' as AppId }
const created = new Date(Date.UTC(2026, 1, 3, 4, 5, 6, 789))
const image: Build = {
  uuid: 'u',
  app: app.id,
  owner: 'ann',
  image: 'me/app:1',
  sha: '',
  procfile: {},
  dockerfile: '',
  exposedPort: null,
  created,
  updated: created,
}
const slug: Build = { ...image, image: 'home/shop:git-abc/push/slug.tgz', sha: 'abc' }

const release = (build: Build, port: number | null, values: Record<string, string> = {}): DesiredRelease => ({
  version: 3,
  summary: 'ann added A',
  created,
  build,
  config: { ...noConfig, values },
  port,
})

const always = {
  DEIS_APP: 'shop',
  WORKFLOW_RELEASE: 'v3',
  WORKFLOW_RELEASE_SUMMARY: 'ann added A',
  WORKFLOW_RELEASE_CREATED_AT: '2026-02-03T04:05:06Z',
}
const storage = { kind: 'minio', host: '10.0.0.9', port: 9000 }
const stored = {
  SLUG_URL: slug.image,
  BUILDER_STORAGE: 'minio',
  DEIS_MINIO_SERVICE_HOST: '10.0.0.9',
  DEIS_MINIO_SERVICE_PORT: '9000',
}

describe('section 8, Env', () => {
  test('an image', () => expect(environmentOf(app, release(image, 80), storage)).toEqual({ ...always, PORT: '80' }))
  test('without port', () => expect(environmentOf(app, release(image, null))).toEqual(always))
  test('a slug', () => {
    const want = { ...always, ...stored, SOURCE_VERSION: 'abc', PORT: '5000' }
    expect(environmentOf(app, release(slug, 5000), storage)).toEqual(want)
  })
  test('a slug that is there already', () => {
    expect(environmentOf(app, release(slug, 5000))).toEqual({ ...always, SOURCE_VERSION: 'abc', PORT: '5000' })
  })
  test('a Dockerfile', () => {
    const build = { ...slug, dockerfile: 'FROM x' }
    expect(environmentOf(app, release(build, null), storage)).toEqual({ ...always, SOURCE_VERSION: 'abc' })
  })
  test('what users set wins', () => {
    const values = { DEIS_APP: 'other', PORT: '1', A: 'b' }
    expect(environmentOf(app, release(image, 80, values))).toEqual({ ...always, ...values })
  })
  test('names of the prototype are variables like others', () => {
    const values = Object.fromEntries([['__proto__', 'x']])
    expect(Object.keys(environmentOf(app, release(image, null, values)))).toContain('__proto__')
  })
})

test('section 1: dates have whole seconds', () => {
  expect(dateText(created)).toBe('2026-02-03T04:05:06Z')
  expect(dateText(new Date(0))).toBe('1970-01-01T00:00:00Z')
})
