import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nameOf, partOf } from './paths.ts'

const names: [part: string, name: string][] = [
  ['readme', 'readme'],
  ['README', 'readme^v1'],
  ['aB', 'ab^2'],
  ['app:git-0a1b2c3d', 'app:git-0a1b2c3d'],
  ['v1.0-RC', 'v1.0-rc^03'],
]
for (const [part, name] of names)
  test(`${part} is the file ${name}`, () => {
    expect(nameOf(part)).toBe(name)
    expect(partOf(name)).toBe(part)
  })

const foreign = ['README', 'readme^', 'readme^v10', 'a^b^c', 'a^2', 'readme^V1', '^1', 'a^~', 'a b', 'ä', '..']
for (const name of foreign) test(`${name} is no file of ours`, () => expect(partOf(name)).toBeNull())

const character = fc.constantFrom(...'abcXYZ019._:@+-')

test('every part has one name, and no two that a file system could take for one another', () => {
  // The two that no key has as a part.
  const part = fc.string({ unit: character, minLength: 1, maxLength: 200 }).filter(text => !/^\.\.?$/.test(text))
  fc.assert(
    fc.property(part, part, (one, other) => {
      expect(partOf(nameOf(one))).toBe(one)
      expect(nameOf(one).length).toBeLessThanOrEqual(241)
      if (one !== other) expect(nameOf(one).toLowerCase()).not.toBe(nameOf(other).toLowerCase())
    }),
  )
})
