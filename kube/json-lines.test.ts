import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TransportError } from './errors.ts'
import { jsonLines } from './json-lines.ts'

async function* chunks(parts: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : part
}

const read = (parts: readonly (string | Uint8Array)[], limit = 1024): Promise<unknown[]> =>
  Array.fromAsync(jsonLines(chunks(parts), limit))

const cases: [name: string, parts: string[], want: unknown[]][] = [
  ['nothing', [], []],
  ['a line', ['{"a":1}\n'], [{ a: 1 }]],
  ['two lines in a chunk', ['1\n2\n'], [1, 2]],
  ['a line in three chunks', ['{"a"', ':', '1}\n'], [{ a: 1 }]],
  ['the newline in a chunk of its own', ['1', '\n', '2', '\n'], [1, 2]],
  ['blank lines, one of them at the end', ['\n1\n\r\n2\n \n', ' '], [1, 2]],
]
for (const [name, parts, want] of cases) test(name, async () => expect(await read(parts)).toEqual(want))

test('values survive any cut, also inside a character', async () => {
  const values = fc.array(fc.jsonValue({ stringUnit: 'grapheme' }), { maxLength: 5 })
  const cuts = fc.array(fc.nat({ max: 400 }), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(values, cuts, async (list, at) => {
      const bytes = Buffer.from(list.map(value => `${JSON.stringify(value)}\n`).join(''))
      const bounds = [0, ...at.filter(cut => cut < bytes.length).sort((a, b) => a - b), bytes.length]
      const parts = bounds.slice(1).map((end, index) => bytes.subarray(bounds[index], end))
      expect(JSON.stringify(await read(parts, 1 << 20))).toBe(JSON.stringify(list))
    }),
  )
})

const failures: [name: string, parts: string[], message: string][] = [
  ['a line over the limit in one chunk', [`"${'x'.repeat(1023)}"\n`], 'longer than 1024 bytes'],
  ['a line over the limit that never ends', Array(9).fill('x'.repeat(128)), 'longer than 1024 bytes'],
  ['an end inside a line', ['{"a":1}\n{"a"'], 'ended inside a line'],
  ['a line that is not JSON', ['{"token":"hunter2\n'], 'is not JSON'],
]
for (const [name, parts, message] of failures) {
  test(`refused: ${name}`, async () => {
    const error = await read(parts).then(
      () => null,
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(TransportError)
    expect((error as Error).message).toContain(message)
    // The text may be a Secret's.
    expect(String((error as Error).stack)).not.toContain('hunter2')
  })
}

test('a line of exactly the limit passes', async () => {
  expect(await read([`"${'x'.repeat(1022)}"\n`])).toEqual(['x'.repeat(1022)])
})
