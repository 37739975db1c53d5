import { expect, test } from 'vitest'
import { cases } from './cases.ts'
import { renderCase } from './report.ts'
import { good } from './testdata/measurement.ts'

const round = { ...good, p50Ms: 1.25 }

test('rows stand beside the reference, and one that is absent or failed says so', () => {
  const text = renderCase(
    {
      work: cases[0]!,
      rows: [
        {
          subject: 'router',
          rounds: [
            { ...round, cpuPerUnit: 18 },
            { ...round, cpuPerUnit: 22 },
          ],
          tls: null,
          trouble: null,
        },
        {
          subject: 'nginx',
          rounds: [
            { ...round, cpuPerUnit: 40 },
            { ...round, cpuPerUnit: 40 },
          ],
          tls: null,
          trouble: null,
        },
        { subject: 'haproxy', rounds: [], tls: null, trouble: 'absent: no haproxy on this machine' },
      ],
    },
    'nginx',
  )
  const cells = text.split('\n').map(line => line.trim().split(/\s{1,}/))
  expect(cells[2]).toEqual(['router', '20.0', '18.0-22.0', '0.50', '50000', '1.00', '1.25', '2.00', '20', '99', '40'])
  expect(cells[3]!.slice(0, 4)).toEqual(['nginx', '40.0', '40.0-40.0', '1.00'])
  expect(text).toContain('haproxy         absent: no haproxy on this machine')
})

test('without a reference, /proc or TLS the cells say nothing; with doubts, lines follow', () => {
  const blind = { ...round, cpuPerUnit: null, residentBytes: null, proxyBusy: null, backendBusy: null, failures: 7 }
  const text = renderCase(
    { work: cases[1]!, rows: [{ subject: 'router', rounds: [blind], tls: 'TLSv1.3 X', trouble: null }] },
    'nginx',
  )
  const lines = text.split('\n')
  expect(lines[2]!.trim().split(/\s+/)).toEqual(['router', '-', '-', '-', '50000', '-', '1.25', '2.00', '-', '-', '-'])
  expect(lines[3]).toBe('  ! router: 7 requests failed')
  expect(lines[4]).toBe('  TLS: TLSv1.3 X')
})
