import { expect, test } from 'vitest'
import { lineOf } from './attribution.ts'
import { isAppId, isLogName, type LogLine, maxText, oneLine, textOfLine } from './line.ts'
import { decodeMessage } from './syslog/decode.ts'

const time = Date.parse('2016-10-18T20:29:38.999Z')
const line = (over: Partial<LogLine>): LogLine => ({
  app: 'foo',
  source: 'app',
  process: null,
  time,
  text: 'x',
  ...over,
})

// Contract section 10: these two are exact samples.
const texts: [line: LogLine, text: string][] = [
  [
    line({ process: 'web.v2.nzf60', text: 'test message' }),
    '2016-10-18T20:29:38+00:00 foo[web.v2.nzf60]: test message',
  ],
  [
    line({ source: 'controller', text: 'INFO admin deployed 2fd9226' }),
    '2016-10-18T20:29:38+00:00 deis[controller]: INFO admin deployed 2fd9226',
  ],
  [line({ source: 'router', text: '[2016] - foo' }), '2016-10-18T20:29:38+00:00 deis[router]: [2016] - foo'],
  [line({}), '2016-10-18T20:29:38+00:00 foo: x'],
  [line({ app: '192.0.2.1', time: 0 }), '1970-01-01T00:00:00+00:00 192.0.2.1: x'],
]
test.for(texts)('%j', ([one, text]) => {
  expect(textOfLine(one)).toBe(text)
})

test('names that lines are kept under', () => {
  expect(['a', 'foo-2', 'x'.repeat(63), '3scale'].every(isAppId)).toBe(true)
  const others = ['', 'Foo', 'a.b', 'a/b', '-a', 'a-', '..', 'x'.repeat(64), 'a\n', '192.0.2.1']
  expect(others.some(isAppId)).toBe(false)
  expect(['192.0.2.1', '2001:db8::1', 'foo'].every(isLogName)).toBe(true)
  // Each address in one form only; and nothing that leads anywhere as a path.
  expect(['2001:DB8::1', '::ffff:192.0.2.1', 'fe80::1%eth0', '..', '.', 'a/../b'].some(isLogName)).toBe(false)
})

const lines: [text: string, line: string][] = [
  ['a', 'a'],
  ['a\r\n\n', 'a'],
  ['a\nb\r\nc\0d', 'a#012b#015#012c#000d'],
  ['\n', ''],
  ['é'.repeat(maxText), 'é'.repeat(maxText / 2)],
  [`x${'é'.repeat(maxText)}`, `x${'é'.repeat(maxText / 2 - 1)}`],
  [`xy${'😀'.repeat(maxText)}`, `xy${'😀'.repeat(maxText / 4 - 1)}`],
  // Octets that are no UTF-8 came out as nothing, when they were too many.
  ['\ufffd'.repeat(maxText), '\ufffd'.repeat(maxText / 3)],
]
test.for(lines)('one line: %#', ([text, wanted]) => {
  expect(oneLine(text)).toBe(wanted)
})

// One of these took a tenth of a second, so that an app with a few of them a second had the logger for itself.
test('long lines of what is no UTF-8 take no longer than others', () => {
  const line = `${'\ufffd'.repeat(5400)}${'a'.repeat(4000)}`
  for (let i = 0; i < 500; i++) expect(oneLine(line).length).toBe(5400 + maxText - 3 * 5400)
})

const now = Date.parse('2026-11-29T04:00:00Z')
const owners: [message: string, wanted: Partial<LogLine>][] = [
  ['<13>1 - node foo web.v2.nzf60 app - x', { app: 'foo', process: 'web.v2.nzf60', time: now, text: 'x' }],
  ['<13>1 - node foo - controller - INFO x', { app: 'foo', source: 'controller', text: 'INFO x' }],
  ['<13>1 - node foo - router - [..]', { app: 'foo', source: 'router' }],
  ['<13>1 - node foo a:b other - x', { app: 'foo', source: 'app', process: null }],
  ['<13>Nov 29 03:00:00 h foo[web.1]: x', { app: 'foo', process: 'web.1', time: Date.parse('2026-11-29T03:00:00Z') }],
  ['<13>1 2026-11-30T04:00:00Z h foo - - - from tomorrow', { app: 'foo', time: now }],
  ['<13>1 - h Postfix/smtpd 12 - - x', { app: '192.0.2.7', text: 'Postfix/smtpd[12]: x' }],
  ['<13>1 - h 192.0.2.1 - - - x', { app: '192.0.2.7', text: '192.0.2.1: x' }],
  ['<13>1 - h ../etc - - - x', { app: '192.0.2.7', text: '../etc: x' }],
  ['<13>just text', { app: '192.0.2.7', text: 'just text' }],
  ['no syslog\nat all', { app: '192.0.2.7', text: 'no syslog#012at all', time: now }],
]
test.for(owners)('whose is %j', ([message, wanted]) => {
  const found = lineOf(decodeMessage(Buffer.from(message), now), '192.0.2.7', now)
  expect(found).toMatchObject({ source: 'app', process: null, ...wanted })
})
