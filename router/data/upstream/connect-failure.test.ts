import { expect, test } from 'vitest'
import { upstreamAt } from '#test/support/data-thread.ts'
import { UpstreamStage } from '#test/support/upstream-stage.ts'
import { counter } from '../../model/counters.ts'
import { noteConnectFailure } from './connect-failure.ts'

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
    const stage = new UpstreamStage()
    const upstream = stage.upstream()
    upstream.update(upstreamAt('u', 80))
    const member = stage.claim(upstream)!
    const { counters } = stage
    noteConnectFailure(counters, member, code)
    expect(member.rest.reason).toBe(blamed ? 'unreachable' : null)
    const names = ['upstreamConnectRefused', 'upstreamConnectTimeouts', 'upstreamConnectErrors'] as const
    expect(names.filter(name => counters[counter[name]] === 1)).toEqual([counted])
  })
}
