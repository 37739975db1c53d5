import { expect, test } from 'vitest'
import { counter, createCounters } from '../../model/counters.ts'
import { noteConnectFailure } from './connect-failure.ts'
import { EndpointPool } from './endpoint-pool.ts'

const rows: [code: string, blamed: boolean, counted: keyof typeof counter][] = [
  ['ECONNREFUSED', true, 'upstreamConnectRefused'],
  ['CONNECT_TIMEOUT', true, 'upstreamConnectTimeouts'],
  ['EHOSTUNREACH', true, 'upstreamConnectErrors'],
  ['ETIMEDOUT', true, 'upstreamConnectErrors'],
  ['EMFILE', false, 'upstreamConnectErrors'],
  ['ENFILE', false, 'upstreamConnectErrors'],
  ['ENOBUFS', false, 'upstreamConnectErrors'],
  ['ENOMEM', false, 'upstreamConnectErrors'],
  ['EADDRNOTAVAIL', false, 'upstreamConnectErrors'],
]
for (const [code, blamed, counted] of rows) {
  test(`${code} is ${blamed ? "the endpoint's" : 'our own'} and counts as ${counted}`, () => {
    const counters = new Float64Array(createCounters())
    const endpoint = new EndpointPool({ address: '192.0.2.1', port: 80 })
    noteConnectFailure(counters, endpoint, code, 1234)
    expect(endpoint.failedAt).toBe(blamed ? 1234 : 0)
    const names = ['upstreamConnectRefused', 'upstreamConnectTimeouts', 'upstreamConnectErrors'] as const
    expect(names.filter(name => counters[counter[name]] === 1)).toEqual([counted])
  })
}
