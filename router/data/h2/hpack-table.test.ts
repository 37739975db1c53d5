import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DynamicTable, staticCount, staticIndex, staticTable } from './hpack-table.ts'

function add(table: DynamicTable, name: string, value: string): boolean {
  const source = Buffer.from(name + value, 'latin1')
  return table.add(source, 0, name.length, source, name.length, source.length)
}

function entries(table: DynamicTable): string[] {
  return Array.from({ length: table.count }, (_, age) => {
    const slot = table.slot(age)
    const name = table.octets.toString('latin1', table.nameStart[slot]!, table.nameEnd[slot]!)
    return `${name}=${table.octets.toString('latin1', table.nameEnd[slot]!, table.valueEnd[slot]!)}`
  })
}

describe('static table', () => {
  const rows: readonly (readonly [index: number, name: string, value: string])[] = [
    [staticIndex.authority, ':authority', ''],
    [staticIndex.methodGet, ':method', 'GET'],
    [staticIndex.methodPost, ':method', 'POST'],
    [staticIndex.path, ':path', '/'],
    [staticIndex.http, ':scheme', 'http'],
    [staticIndex.https, ':scheme', 'https'],
    [staticIndex.status, ':status', '200'],
    [16, 'accept-encoding', 'gzip, deflate'],
    [32, 'cookie', ''],
    [55, 'set-cookie', ''],
    [61, 'www-authenticate', ''],
  ]
  test('has the entries of RFC 7541 appendix A', () => expect(staticCount).toBe(61))
  for (const [index, name, value] of rows) {
    test(`${index} is ${name} ${value}`, () => {
      const { octets, nameStart, nameEnd, valueEnd } = staticTable
      expect(octets.toString('latin1', nameStart[index]!, nameEnd[index]!)).toBe(name)
      expect(octets.toString('latin1', nameEnd[index]!, valueEnd[index]!)).toBe(value)
    })
  }
})

describe('dynamic table', () => {
  test('takes no memory before its first entry', () => {
    const table = new DynamicTable(4096)
    expect([table.octets.length, table.nameStart.length]).toEqual([0, 0])
    add(table, 'a', 'b')
    expect(table.octets.length).toBeLessThanOrEqual(1024)
  })

  test('counts 32 octets for an entry, and lets the oldest go first', () => {
    const table = new DynamicTable(3 * 34)
    for (const value of ['1', '2', '3']) add(table, 'a', value)
    expect([table.size, entries(table)]).toEqual([102, ['a=3', 'a=2', 'a=1']])
    add(table, 'a', '4')
    expect(entries(table)).toEqual(['a=4', 'a=3', 'a=2'])
    // One octet more costs one more entry.
    add(table, 'a', '55')
    expect([table.size, entries(table)]).toEqual([69, ['a=55', 'a=4']])
  })

  test('an entry that is larger than the table empties it', () => {
    const table = new DynamicTable(100)
    add(table, 'a', 'b')
    expect(add(table, 'a', 'x'.repeat(68))).toBe(false)
    expect([table.count, table.size]).toEqual([0, 0])
    expect(add(table, 'a', 'x'.repeat(67))).toBe(true)
    expect([table.count, table.size]).toEqual([1, 100])
  })

  test('a lower limit lets entries go at once, a higher one brings none back', () => {
    const table = new DynamicTable(200)
    for (const value of ['1', '2', '3']) add(table, 'a', value)
    table.setLimit(68)
    expect(entries(table)).toEqual(['a=3', 'a=2'])
    table.setLimit(200)
    expect(entries(table)).toEqual(['a=3', 'a=2'])
    table.setLimit(0)
    expect(entries(table)).toEqual([])
    table.setLimit(40)
    expect(add(table, 'ab', 'cd')).toBe(true)
  })

  test('is a list of fields whatever comes and goes, in twice its octets', () => {
    const name = fc.string({ minLength: 1, maxLength: 20 })
    const value = fc.string({ maxLength: 300 })
    const step = fc.oneof(
      { weight: 9, arbitrary: fc.tuple(name, value) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 700 }) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), steps => {
        const maximum = 700
        const table = new DynamicTable(maximum)
        let limit = maximum
        const model: string[] = []
        const size = (): number => model.reduce((sum, entry) => sum + entry.length - 1 + 32, 0)
        for (const each of steps) {
          if (typeof each === 'number') {
            limit = each
            table.setLimit(limit)
          } else {
            add(table, each[0], each[1])
            model.unshift(`${each[0]}=${each[1]}`)
          }
          while (size() > limit) model.pop()
          expect(entries(table)).toEqual(model)
          expect(table.size).toBe(size())
          expect(table.octets.length).toBeLessThanOrEqual(2 * maximum)
        }
      }),
    )
  })
})
