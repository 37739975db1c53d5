import { expect, test } from 'vitest'
import { parseCounts } from './backend.ts'

test('the counts of stub_status are read', () => {
  const text =
    'Active connections: 3 \nserver accepts handled requests\n 16 15 31 \nReading: 0 Writing: 1 Waiting: 2 \n'
  expect(parseCounts(text)).toEqual({ connections: 16, requests: 31 })
  expect(parseCounts('<html>404</html>')).toBeNull()
  expect(parseCounts('')).toBeNull()
})
