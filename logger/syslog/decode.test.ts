import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LogLine } from '../line.ts'
import { decodeMessage, type SyslogMessage } from './decode.ts'
import { encodeLine } from './encode.ts'

const now = Date.parse('2026-11-29T04:00:00Z')
const decode = (text: string): ReturnType<typeof decodeMessage> => decodeMessage(Buffer.from(text), now)
const at = (text: string): number => Date.parse(text)

const nothing = { time: null, hostname: null, appName: null, procId: null, msgId: null, text: '' }
type Wanted = Partial<SyslogMessage>

const good: [name: string, message: string, wanted: Wanted][] = [
  [
    'RFC 5424 section 6.5, example 1',
    "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed for lonvick on /dev/pts/8",
    {
      ...{ kind: 'rfc5424', facility: 4, severity: 2, time: at('2003-10-11T22:14:15.003Z') },
      ...{ hostname: 'mymachine.example.com', appName: 'su', msgId: 'ID47' },
      text: "'su root' failed for lonvick on /dev/pts/8",
    },
  ],
  [
    'example 2: an offset, microseconds',
    "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
    {
      ...{ facility: 20, severity: 5, time: at('2003-08-24T12:14:15.000Z') },
      ...{ hostname: '192.0.2.1', appName: 'myproc', procId: '8710', text: "%% It's time to make the do-nuts." },
    },
  ],
  [
    'example 3: structured data',
    '<165>1 2003-10-11T22:14:15.003Z h evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="A\\"]\\\\" x="]"] text',
    { hostname: 'h', appName: 'evntslog', msgId: 'ID47', time: at('2003-10-11T22:14:15.003Z'), text: 'text' },
  ],
  ['example 4: only structured data', '<165>1 - - - - - [a@1 b="c"][d@2 e="f"]', { kind: 'rfc5424' }],
  ['all nil', '<13>1 - - - - - -', { kind: 'rfc5424' }],
  ['no structured data at all, as some senders', '<13>1 - h a - - ', { hostname: 'h', appName: 'a' }],
  ['a message that keeps its blanks', '<13>1 - - a - - -  x ', { appName: 'a', text: ' x ' }],
  ['a leap second', '<13>1 2016-12-31T23:59:60Z - - - - -', { time: at('2016-12-31T23:59:59Z') }],
  [
    'RFC 3164 section 5.4, example 1',
    "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
    {
      ...{ kind: 'rfc3164', facility: 4, severity: 2, time: at('2026-10-11T22:14:15Z') },
      ...{ hostname: 'mymachine', appName: 'su', text: "'su root' failed for lonvick on /dev/pts/8" },
    },
  ],
  ['example 2: only a priority', '<13>Use the BFG!', { text: 'Use the BFG!' }],
  [
    'example 3: a zone that nobody reads',
    '<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: %% It',
    { time: at('2026-08-24T05:34:00Z'), hostname: 'CST', text: '1987 mymachine myproc[10]: %% It' },
  ],
  [
    'a day with a blank',
    '<13>Feb  5 17:32:18 10.0.0.99 x',
    { time: at('2027-02-05T17:32:18Z'), hostname: '10.0.0.99', text: 'x' },
  ],
  [
    'last year, when it is nearer',
    '<13>Dec 31 23:00:00 h a: x',
    { time: at('2026-12-31T23:00:00Z'), hostname: 'h', appName: 'a', text: 'x' },
  ],
  [
    'a tag with a process',
    '<13>Nov 29 03:00:00 h web[12]: x',
    { time: at('2026-11-29T03:00:00Z'), hostname: 'h', appName: 'web', procId: '12', text: 'x' },
  ],
  [
    'no host (docker, busybox)',
    '<13>Nov 29 03:00:00 foo[web.v2.nzf60]: x',
    { time: at('2026-11-29T03:00:00Z'), appName: 'foo', procId: 'web.v2.nzf60', text: 'x' },
  ],
  ['no time (syslog of libc)', '<13>foo[1]: x: y', { appName: 'foo', procId: '1', text: 'x: y' }],
  [
    "rsyslog's time",
    '<13>2026-11-29T03:00:00.123456+01:00 h foo: x',
    { time: at('2026-11-29T02:00:00.123Z'), hostname: 'h', appName: 'foo', text: 'x' },
  ],
  [
    'a year and milliseconds (Cisco)',
    '<13>Nov 29 2025 03:00:00.5: foo: x',
    { time: at('2025-11-29T03:00:00.500Z'), appName: 'foo', text: 'x' },
  ],
  ['a day that there is not', '<13>Feb 30 03:00:00 h x', { text: 'Feb 30 03:00:00 h x' }],
  ['octets that are no UTF-8', '<13>foo: \xff', { appName: 'foo', text: '\xff' }],
]
test.for(good)('%s', ([, message, wanted]) => {
  expect(decode(message)).toMatchObject({ ...nothing, ...wanted })
})

test('the year of a message from around New Year', () => {
  const message = decodeMessage(Buffer.from('<13>Dec 31 23:59:59 h a: x'), at('2027-01-01T00:00:05Z'))
  expect(message).toMatchObject({ time: at('2026-12-31T23:59:59Z') })
})

test('octets that are no UTF-8 become U+FFFD', () => {
  expect(decodeMessage(Buffer.from([...Buffer.from('<13>foo: a'), 0xff, 0xc3]), now).text).toBe('a\ufffd\ufffd')
})

const malformed = [
  ...['', 'hello', '<>x', '<192>x', '<01>x', '<1 >x', '13>x', '<13', '{"json":1}', 'GET / HTTP/1.1'],
  ...[
    '<13>1 ',
    '<13>1 yesterday h a - - - x',
    '<13>1 2026-13-01T00:00:00Z h a - - - x',
    '<13>1 - h a - - x',
    '<13>2 - - - - - -',
  ],
  ...['<13>1 - h a - - [a b="c" x', '<13>1 - h a - - [a]x', '<13>1 - h a'],
]
test.for(malformed)('malformed: %s', message => {
  expect(decode(message)).toEqual({ kind: 'malformed', text: message })
})

describe('fuzz', () => {
  const piece = fc.constantFrom(
    ...[
      '<13>',
      '<',
      '>',
      '1 ',
      '-',
      ' ',
      '[',
      ']',
      '"',
      '\\',
      ':',
      'Oct 11 22:14:15',
      '2026-11-29T03:00:00Z',
      'host',
      'a[1]:',
    ],
    ...['\ufeff', '\0', '\n', 'é', '99999999999', '[x y="z"]'],
  )
  const pieces = fc.array(piece, { maxLength: 30 }).map(parts => Buffer.from(parts.join('')))

  test('it never throws, and no text is longer than the message', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          pieces,
          fc.uint8Array({ maxLength: 300 }).map(octets => Buffer.from(octets)),
        ),
        octets => {
          const message = decodeMessage(octets, now)
          expect(message.text.length).toBeLessThanOrEqual(octets.length)
          if (message.kind !== 'malformed' && message.time !== null)
            expect(new Date(message.time).toISOString()).toMatch(/^\d{4}-/)
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('what the encoder makes is read as it was', () => {
    const line: fc.Arbitrary<LogLine> = fc.record({
      app: fc.stringMatching(/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/),
      source: fc.constantFrom('app', 'controller', 'router'),
      process: fc.option(fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,40})$/)),
      time: fc.integer({ min: 0, max: 253_402_300_799_999 }),
      text: fc.string({ unit: 'grapheme', maxLength: 100 }).filter(text => !text.startsWith('\ufeff')),
    })
    fc.assert(
      fc.property(line, ({ app, source, process, time, text }) => {
        const message = decodeMessage(encodeLine({ app, source, process, time, text }, 'node-1'), now)
        const names = { hostname: 'node-1', appName: app, procId: process, msgId: source }
        expect(message).toEqual({ kind: 'rfc5424', facility: 1, severity: 5, time, ...names, text })
      }),
    )
  })
})

test('what a line must not bring into the header', () => {
  const line: LogLine = { app: 'a b\n<', source: 'app', process: ' ', time: Number.NaN, text: 'x\ny' }
  expect(encodeLine(line, 'büro host').toString()).toBe('<13>1 - brohost ab< - app - x\ny')
})

test('time in proportion to the message', () => {
  // Each of these would take minutes if something looked at it again and again.
  for (const unit of ['[', '[a b="', ' ', '1 ', 'a[', '\\', '<13>'])
    for (const head of ['<13>', '<13>1 - - - - - ', '<13>Oct 11 22:14:15 ']) decode(head + unit.repeat(300_000))
})
