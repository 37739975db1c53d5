import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Deframer, frameMessage } from './framing.ts'

const most = 100

function messagesOf(chunks: readonly (string | Buffer)[]): string[] {
  const found: string[] = []
  const deframer = new Deframer(most, (octets, cut) => found.push(octets.toString('latin1') + (cut ? '…' : '')))
  for (const chunk of chunks) deframer.push(Buffer.from(chunk as string, 'latin1'))
  deframer.end()
  return found
}

const long = '<13>'.padEnd(150, 'x')
const cases: [name: string, stream: string, messages: string[]][] = [
  ['lines', '<13>a\n<13>b\r\n<13>c', ['<13>a', '<13>b', '<13>c']],
  ['counted', '5 <13>a6 <13>b\n5 <13>c', ['<13>a', '<13>b\n', '<13>c']],
  ['both in turn', '5 <13>a<13>b\n5 <13>c\n\n<13>d\n', ['<13>a', '<13>b', '<13>c', '<13>d']],
  ['a counted message with a line end before the next one', '5 <13>a\r\n5 <13>b', ['<13>a', '<13>b']],
  [
    'a line that begins with a number',
    '2016-10-18 x\n12 monkeys\n7\n<13>a\n',
    ['2016-10-18 x', '12 monkeys', '7', '<13>a'],
  ],
  ['garbage, and then messages', '\0\0{"a":1}\n5 <13>a', ['{"a":1}', '<13>a']],
  [
    'a count of nothing, and one beyond all bounds',
    '0 <13>a\n99999999999 <13>b\n5 <13>c',
    ['0 <13>a', '99999999999 <13>b', '<13>c'],
  ],
  ['a line that is too long', `${long}\n<13>b\n`, [`${long.slice(0, most)}…`, '<13>b']],
  ['a counted message that is too long', `150 ${long}5 <13>b`, [`${long.slice(0, most)}…`, '<13>b']],
  ['a counted message that does not end', '50 <13>a', ['<13>a…']],
  ['a count that does not end', '12', ['12']],
  ['as long as may be', `${'x'.repeat(most)}\n<13>b\n`, ['x'.repeat(most), '<13>b']],
]
test.for(cases)('%s', ([, stream, messages]) => {
  expect(messagesOf([stream])).toEqual(messages)
  expect(messagesOf(stream.split(''))).toEqual(messages)
})

const message = fc.oneof(
  fc.string({ maxLength: 30 }).map(text => ({ text: `<13>${text}`, counted: true })),
  fc.stringMatching(/^[ -~]{0,30}$/).map(text => ({ text: `<13>${text}`, counted: false })),
)

/** The stream cut at these places. */
function cutAt(stream: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set([0, ...cuts.map(cut => cut % (stream.length + 1)), stream.length])].sort((a, b) => a - b)
  return places.slice(1).map((end, i) => stream.subarray(places[i], end))
}

test('messages are the same wherever the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(message), fc.array(fc.nat()), (messages, cuts) => {
      const parts = messages.map(({ text, counted }) =>
        counted ? frameMessage(Buffer.from(text)) : Buffer.from(`${text}\n`),
      )
      const wanted = messages.map(({ text }) => Buffer.from(text).toString('latin1'))
      // A carriage return at the end belongs to the framing of lines, and counted messages lose it, too.
      expect(messagesOf(cutAt(Buffer.concat(parts), cuts))).toEqual(wanted.map(text => text.replace(/\r$/, '')))
    }),
  )
})

test('whatever comes, it never throws, holds no more than a message, and finds the same wherever it is cut', () => {
  const piece = fc.constantFrom('5 ', '<', '<13>a', '\n', '\r', '\0', '12', '99 <', '1048577 <', 'x'.repeat(70), ' ')
  const stream = fc.oneof(
    fc.array(piece).map(parts => Buffer.from(parts.join(''))),
    fc.uint8Array({ maxLength: 500 }).map(octets => Buffer.from(octets)),
  )
  fc.assert(
    fc.property(stream, fc.array(fc.nat()), (octets, cuts) => {
      const whole: string[] = []
      const inParts: string[] = []
      const deframers = [whole, inParts].map(found => new Deframer(most, one => found.push(one.toString('latin1'))))
      deframers[0]!.push(octets)
      for (const chunk of cutAt(octets, cuts)) {
        deframers[1]!.push(chunk)
        expect(deframers[1]!.held).toBeLessThanOrEqual(most + 8)
      }
      for (const deframer of deframers) deframer.end()
      expect(inParts).toEqual(whole)
      expect(whole.every(({ length }) => length > 0 && length <= most)).toBe(true)
    }),
    { numRuns: 1000 },
  )
})
