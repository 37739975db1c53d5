import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineSplitter, maxLine } from './lines.ts'

function split(...chunks: readonly (string | Buffer)[]): string[] {
  const lines: string[] = []
  const splitter = new LineSplitter(line => lines.push(line))
  for (const chunk of chunks) splitter.push(Buffer.from(chunk as string))
  splitter.finish()
  return lines
}

const rows: [name: string, chunks: readonly (string | Buffer)[], lines: readonly string[]][] = [
  ['lines in one chunk', ['a\nb\n'], ['a', 'b']],
  ['a line in pieces', ['a', 'b', 'c\n'], ['abc']],
  ['no end', ['a\nb'], ['a', 'b']],
  ['nothing', [''], []],
  ['empty lines', ['\n\n'], ['', '']],
  ['CRLF', ['a\r\nb\r', '\n'], ['a', 'b']],
  ['a character in pieces', [Buffer.from([0xc3]), Buffer.from([0xa4, 0x0a])], ['ä']],
  ['no UTF-8', [Buffer.from([0xff, 0x0a])], ['\ufffd']],
  ['as long as may be', ['x'.repeat(maxLine), '\n'], ['x'.repeat(maxLine)]],
  ['longer', ['x'.repeat(maxLine + 1), '\ny\n'], ['x'.repeat(maxLine), 'x', 'y']],
  ['cut before a character', [`${'x'.repeat(maxLine - 1)}€\n`], ['x'.repeat(maxLine - 1), '€']],
]
for (const [name, chunks, lines] of rows) test(name, () => expect(split(...chunks)).toEqual(lines))

test('how it comes makes no difference', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', 'ä', '€', '😀', '\n') })), chunks => {
      const whole = chunks.join('')
      const lines = whole.split('\n')
      if (lines.at(-1) === '') lines.pop()
      expect(split(...chunks)).toEqual(lines)
      expect(
        split(
          ...Buffer.from(whole)
            .toString('latin1')
            .split('')
            .map(octet => Buffer.from(octet, 'latin1')),
        ),
      ).toEqual(lines)
    }),
  )
})
