import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HostNames } from './host-names.ts'

test('below a name is what ends with a dot and it, whatever came and went', () => {
  const label = fc.constantFrom('a', 'b', 'aa', 'a-b', '*')
  const name = fc.array(label, { minLength: 1, maxLength: 4 }).map(labels => labels.join('.'))
  // More at once than are put in one by one, and fewer.
  const batch = fc.uniqueArray(name, { maxLength: 120 })
  fc.assert(
    fc.property(fc.array(batch, { maxLength: 6 }), name, (batches, parent) => {
      const names = new HostNames()
      const there = new Set<string>()
      for (const batch of batches) {
        for (const name of batch) {
          if (there.delete(name)) names.delete(name)
          else {
            there.add(name)
            names.add(name)
          }
        }
        const below = [...there].filter(name => name.endsWith(`.${parent}`))
        expect([...names.below(parent)].sort()).toEqual(below.sort())
      }
    }),
    { seed: 1 },
  )
})
