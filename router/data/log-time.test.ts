import { expect, test } from 'vitest'
import { commonLogTime } from './log-time.ts'

const rows: readonly (readonly [iso: string, want: string])[] = [
  ['2016-05-31T16:56:12+00:00', '31/May/2016:16:56:12 +0000'],
  ['2026-01-01T00:00:00-09:30', '01/Jan/2026:00:00:00 -0930'],
  ['2026-12-09T23:59:60+13:45', '09/Dec/2026:23:59:60 +1345'],
  ['', '-'],
]
for (const [iso, want] of rows) test(`${iso} in the common log format`, () => expect(commonLogTime(iso)).toBe(want))
