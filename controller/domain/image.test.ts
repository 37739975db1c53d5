import { describe, expect, test } from 'vitest'
import { parseImage, repositoryOf } from './image.ts'
import { refused } from './testdata/refused.ts'

const images: readonly (readonly [image: string, repository: string])[] = [
  ['app', 'app'],
  ['me/app:1', 'me/app'],
  ['registry.example.com:5000/me/app', 'registry.example.com:5000/me/app'],
  ['registry.example.com:5000/me/app:1@sha256:abc', 'registry.example.com:5000/me/app'],
  ['home/shop:git-0123456/push/slug.tgz', 'home/shop:git-0123456/push/slug.tgz'],
  ['deis/example-go', 'deis/example-go'],
  ['/srv/deis/router', '/srv/deis/router'],
  ['me-deis/router', 'me-deis/router'],
]

describe('section 5, Builds: images', () => {
  for (const [image, repository] of images)
    test(image, () => {
      expect(parseImage(` ${image} `)).toBe(image)
      expect(repositoryOf(image)).toBe(repository)
    })

  for (const [image, repository] of [
    ['deis/router', 'deis/router'],
    ['deis/controller:v2', 'deis/controller'],
    ['registry.example.com/deis/builder:v2', 'registry.example.com/deis/builder'],
  ] as const)
    test(`refused: ${image}`, () => {
      const message = `Repository name ${repository} is not allowed, as it is reserved by Deis`
      expect(refused(() => parseImage(image))).toEqual({ illogical: message })
    })

  test('refused: none', () =>
    expect(refused(() => parseImage(''))).toEqual({ image: ['This field may not be blank.'] }))
})
