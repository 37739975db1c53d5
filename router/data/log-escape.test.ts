import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { copyEscaped, escapeLog, unescapeLog, wholeEscapes, writeJson } from './log-escape.ts'

describe('§14 escaping', () => {
  const rows: readonly (readonly [name: string, text: string, want: string])[] = [
    ['nothing', '', ''],
    ['plain text', 'Mozilla/5.0 (X11; Linux) ~', 'Mozilla/5.0 (X11; Linux) ~'],
    ['quotes and backslashes', 'a"b\\c', 'a\\x22b\\x5Cc'],
    ['line ends and other controls', '\r\n\t\x00\x1f\x7f', '\\x0D\\x0A\\x09\\x00\\x1F\\x7F'],
    ['UTF-8, octet by octet', 'é€', '\\xC3\\xA9\\xE2\\x82\\xAC'],
    ['hyphens within words', 'x-y -z- --', 'x-y -z- --'],
    ['what would begin another part', 'a - b', 'a \\x2D b'],
    ['many of them', ' - - - ', ' \\x2D \\x2D \\x2D '],
    ['a hyphen at the end, behind a blank', 'a -', 'a \\x2D'],
    ['a hyphen at the start', '- a', '- a'],
    ['a hyphen alone', '-', '-'],
    ['a server name of a dotless app', '~^foo\\.(?<domain>.+)$', '~^foo\\x5C.(?<domain>.+)$'],
  ]
  for (const [name, text, want] of rows) test(name, () => expect(escapeLog(text)).toBe(want))
})

test('octets of a range only, four for one at most', () => {
  const target = Buffer.alloc(20, '.')
  expect(copyEscaped(Buffer.from('x"\xff"x', 'latin1'), 1, 4, target, 3)).toBe(15)
  expect(target.toString()).toBe('...\\x22\\xFF\\x22.....')
})

test('a hyphen at the end of its range does not look beyond it', () => {
  const target = Buffer.alloc(20)
  const at = copyEscaped(Buffer.from('a -b'), 0, 3, target, 0)
  expect(target.toString('latin1', 0, at)).toBe('a \\x2D')
})

test('whatever comes in: printable ASCII without quotes comes out, as one part, and the octets can be had back', () => {
  const octets = fc.uint8Array({ maxLength: 40 })
  const tricky = fc
    .string({ unit: fc.constantFrom(' ', '-', '"', 'a') })
    .map(text => Uint8Array.from(Buffer.from(text)))
  fc.assert(
    fc.property(fc.oneof(octets, tricky), source => {
      const target = Buffer.alloc(source.length * 4)
      const text = target.toString('latin1', 0, copyEscaped(source, 0, source.length, target, 0))
      expect(text).toMatch(/^[\x20\x21\x23-\x7e]*$/)
      expect(text).not.toContain(' - ')
      const back = text.replace(/\\x([0-9A-F]{2})/g, (_, code: string) =>
        String.fromCharCode(Number.parseInt(code, 16)),
      )
      expect(Buffer.from(back, 'latin1')).toEqual(Buffer.from(source))
    }),
    { seed: 9112, numRuns: 1000 },
  )
})

test('an escaped text can be had back', () => {
  const octets = fc.uint8Array({ maxLength: 40 }).map(source => Buffer.from(source))
  fc.assert(
    fc.property(octets, source => {
      const target = Buffer.alloc(source.length * 4)
      const text = target.toString('latin1', 0, copyEscaped(source, 0, source.length, target, 0))
      expect(unescapeLog(text)).toEqual(source)
    }),
    { seed: 9112, numRuns: 200 },
  )
})

describe('an escaped text is cut between what belongs together', () => {
  const rows: readonly (readonly [text: string, limit: number, want: number])[] = [
    ['abc', 3, 3],
    ['abc', 1, 1],
    ['a\\x22b', 6, 6],
    ['a\\x22b', 5, 5],
    ['a\\x22b', 4, 1],
    ['a\\x22b', 2, 1],
    ['a -b', 3, 2],
    ['a--b', 3, 3],
    ['-b', 1, 1],
  ]
  for (const [text, limit, want] of rows)
    test(`${text} to ${limit}`, () => expect(wholeEscapes(Buffer.from(text), limit)).toBe(want))
})

describe('the inside of a JSON string', () => {
  const rows: readonly (readonly [text: string, limit: number, want: string])[] = [
    ['plain', 100, 'plain'],
    ['"\\\n\u0000', 100, '\\"\\\\\\n\\u0000'],
    ['é€😀', 100, 'é€😀'],
    ['\u007f\u0085\u2028\ud800', 100, '\\u007f\\u0085\\u2028\\ud800'],
    ['abcdef', 3, 'abc'],
    ['"', 1, ''],
    ['\u0000\u0000', 11, '\\u0000'],
    ['€€', 5, '€'],
  ]
  for (const [text, limit, want] of rows)
    test(`${JSON.stringify(text)} in ${limit} octets`, () => {
      const target = Buffer.alloc(100)
      const length = writeJson(target, 0, limit, text)
      expect(target.toString('utf8', 0, length)).toBe(want)
      expect(JSON.parse(`"${want}"`)).toBe(text.slice(0, JSON.parse(`"${want}"`).length))
    })
})
