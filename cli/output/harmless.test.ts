import { expect, test } from 'vitest'
import { harmless } from './harmless.ts'

// An app could set the title of whoever read its log, and more.
const shownOf: readonly (readonly [what: string, text: string, shown: string])[] = [
  ['a title', '\x1b]0;evil\x07x', '␛]0;evil␇x'],
  ['a cleared screen', '\x1b[2J\x1b[H', '␛[2J␛[H'],
  ['a question that the terminal answers', '\x1b[6n', '␛[6n'],
  ['what only begins as a colour', '\x1b[31;\x1b[31Km', '␛[31;␛[31Km'],
  ['an application command of C1', '\x9fG\x9c', '<U+009F>G<U+009C>'],
  ['a next line of C1', 'a\x85b', 'a<U+0085>b'],
  ['separators of lines', 'a\u2028b\u2029c', 'a<U+2028>b<U+2029>c'],
  ['a line written over', 'bad\rgood', 'bad␍good'],
  ['backspaces and DEL', 'a\b\x7f\0', 'a␈␡␀'],
  ['colours, which stay', '\x1b[1;38:5:9mred\x1b[m', '\x1b[1;38:5:9mred\x1b[m'],
  ['what turns what follows', 'a\u202eb\u2066c\u2069', 'a<U+202E>b<U+2066>c<U+2069>'],
  ['tabs and line ends, which stay', 'a\tb\r\nc\r', 'a\tb\r\nc\r'],
  ['letters, which stay', 'é 日本 👍 \u00a0', 'é 日本 👍 \u00a0'],
]
test.each(shownOf)('%s', (_what, text, shown) => expect(harmless(text, 'all')).toBe(shown))

// A value could be hidden by a colour.
test.each([
  ['hidden', '\x1b[8mx', '␛[8mx'],
  ['white on white', '\x1b[37;47mx', '␛[37;47mx'],
  ['ours, which stay', '\x1b[31mx\x1b[39m\x1b[1my\x1b[22m', '\x1b[31mx\x1b[39m\x1b[1my\x1b[22m'],
  ['a line end, which stays', 'x\r\n', 'x\r\n'],
  ['a title', '\x1b]0;evil\x07x', '␛]0;evil␇x'],
])('in our colours alone: %s', (_what, text, shown) => expect(harmless(text, 'ours')).toBe(shown))
