import { expect, test } from 'vitest'
import { maxText } from '../line.ts'
import { RecordJoiner } from './record-joiner.ts'

type Piece = [stream: 'stdout' | 'stderr', tag: 'P' | 'F', text: string]

function join(pieces: readonly Piece[]): { readonly lines: string[]; readonly places: number[] } {
  const joiner = new RecordJoiner<number>()
  const lines: string[] = []
  for (const [index, [stream, tag, text]] of pieces.entries()) {
    const record = { time: index, stream, isPartial: tag === 'P', text: Buffer.from(text, 'latin1') }
    joiner.push(record, index, (time, line) => lines.push(`${time} ${line}`))
  }
  return { lines, places: [...joiner.places()] }
}

const half = 'x'.repeat(maxText / 2)

const cases: [name: string, pieces: Piece[], lines: string[], places: number[]][] = [
  ['a line', [['stdout', 'F', 'a']], ['0 a'], []],
  [
    'pieces, with the time of the first',
    [
      ['stdout', 'P', 'a'],
      ['stdout', 'P', 'b'],
      ['stdout', 'F', 'c'],
      ['stdout', 'F', 'd'],
    ],
    ['0 abc', '3 d'],
    [],
  ],
  [
    'streams do not mix',
    [
      ['stdout', 'P', 'a'],
      ['stderr', 'F', 'b'],
      ['stderr', 'P', 'c'],
      ['stdout', 'F', 'd'],
    ],
    ['1 b', '0 ad'],
    [2],
  ],
  [
    'a character in two pieces',
    [
      ['stdout', 'P', '\xc3'],
      ['stdout', 'F', '\xa4'],
    ],
    ['0 ä'],
    [],
  ],
  [
    'a long line comes in several, and nothing of it is lost',
    [
      ['stdout', 'P', half],
      ['stdout', 'P', half],
      ['stdout', 'P', 'yz'],
      ['stdout', 'P', half],
      ['stdout', 'F', 'end'],
    ],
    [`0 ${half}${half}`, `0 yz${half}end`],
    [],
  ],
  [
    'not within a character',
    [['stdout', 'F', `${half}${half.slice(1)}\xc3\xa4`]],
    [`0 ${half}${half.slice(1)}`, '0 ä'],
    [],
  ],
]
for (const [name, pieces, lines, places] of cases) test(name, () => expect(join(pieces)).toEqual({ lines, places }))

test('a line without an end', () => {
  const joiner = new RecordJoiner<number>()
  const lines: string[] = []
  const hear = (_: number, text: string): number => lines.push(text)
  joiner.push({ time: 1, stream: 'stdout', isPartial: true, text: Buffer.from('a') }, 1, hear)
  joiner.flush(hear)
  joiner.push({ time: 2, stream: 'stdout', isPartial: false, text: Buffer.from('b') }, 2, hear)
  expect(lines).toEqual(['a', 'b'])
})
