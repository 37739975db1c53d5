import { expect, test } from 'vitest'
import { parseRecord } from './cri-record.ts'

const time = Date.UTC(2026, 10, 29, 4, 34, 45, 123)

const cases: [name: string, line: string, want: [stream: string, isPartial: boolean, text: string] | null][] = [
  ['a full line', '2026-11-29T04:34:45.123456789Z stdout F hello world', ['stdout', false, 'hello world']],
  ['with an offset', '2026-11-29T05:34:45.123456789+01:00 stderr F x', ['stderr', false, 'x']],
  ['a piece', '2026-11-29T04:34:45.123Z stdout P hel', ['stdout', true, 'hel']],
  ['tags to come', '2026-11-29T04:34:45.123Z stdout F:a:b hello', ['stdout', false, 'hello']],
  ['blanks of the text', '2026-11-29T04:34:45.123Z stdout F  a  ', ['stdout', false, ' a  ']],
  ['an empty text', '2026-11-29T04:34:45.123Z stdout F ', ['stdout', false, '']],
  ['no text', '2026-11-29T04:34:45.123Z stdout F', ['stdout', false, '']],
  ['a line end of Windows', '2026-11-29T04:34:45.123Z stdout F hello\r', ['stdout', false, 'hello']],
  ['within a piece it is text', '2026-11-29T04:34:45.123Z stdout P hello\r', ['stdout', true, 'hello\r']],
  ['JSON of docker', '{"log":"hello\\n","stream":"stdout","time":"2026-11-29T04:34:45.123Z"}', null],
  ['another stream', '2026-11-29T04:34:45.123Z stdin F hello', null],
  ['another tag', '2026-11-29T04:34:45.123Z stdout X hello', null],
  ['a long tag', '2026-11-29T04:34:45.123Z stdout Full hello', null],
  ['no time', 'yesterday stdout F hello', null],
  ['nothing', '', null],
]
for (const [name, line, want] of cases)
  test(name, () => {
    const record = parseRecord(Buffer.from(line))
    expect(record && [record.stream, record.isPartial, record.text.toString()]).toEqual(want)
    if (record !== null) expect(record.time).toBe(time)
  })
