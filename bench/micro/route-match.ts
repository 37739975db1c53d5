// What finding a route costs with 5,000 hosts, each with a route for every path or with several paths.

import { RouteTable } from '#router/data/table/route-table.ts'
import type { Hostname } from '#router/model/hostname.ts'
import type { HostMatch, Route, RouteId } from '#router/model/route.ts'
import { UpstreamStage } from '#test/support/upstream-stage.ts'
import { report } from './rounds.ts'

const hosts = 5_000
const paths = ['/', '/api', '/api/v2', '/assets', '/account/settings']
const upstream = new UpstreamStage().upstream(Math.random, 'bench/app:80')

function route(host: HostMatch, name: string, path: string): Route {
  return {
    id: `service/bench/app/${name}${path}` as RouteId,
    app: 'bench/app',
    serverName: name,
    host,
    path: { kind: 'prefix', path },
    https: false,
    certificate: null,
    policies: [],
    requestStart: false,
    referrerPolicy: null,
    backend: { upstream: upstream.id, connectTimeout: 30_000, idleTimeout: 60_000, readAhead: 0, headLimit: 65_536 },
  }
}

function tableOf(routes: readonly Route[]): RouteTable {
  const table = new RouteTable({ get: () => upstream })
  table.apply({ upserts: routes, deletes: [] })
  return table
}

const names = Array.from({ length: hosts }, (_, i) => `app-${i}.example.com` as Hostname)
const exact = (host: Hostname): HostMatch => ({ kind: 'exact', host })
const simple = tableOf(names.map(host => route(exact(host), host, '/')))
const withPaths = tableOf(names.flatMap(host => paths.map(path => route(exact(host), host, path))))
const wildcards = tableOf(names.map(host => route({ kind: 'wildcard', suffix: host, depth: 'any' }, `*.${host}`, '/')))

// Octets, because a host comes as octets and its string has no hash yet, as in a request.
const asked = Buffer.from(names.join(''), 'latin1')
const starts: number[] = []
for (let i = 0, at = 0; i < hosts; i++) {
  starts.push(at)
  at += names[i]!.length
}

let turn = 0
let found = 0
function nextHost(prefix = ''): string {
  turn = (turn + 997) % hosts
  const start = starts[turn]!
  return prefix + asked.toString('latin1', start, start + names[turn]!.length)
}

report('making the host string (part of all below)', () => {
  if (nextHost().length > 0) found++
})
report('5,000 hosts, every path', () => {
  const host = simple.matchHost(nextHost(), false)
  if (host?.everyPath !== null) found++
})
report('5,000 hosts with 5 paths each', () => {
  if (withPaths.match(nextHost(), '/api/v2/orders/4711', false) !== null) found++
})
report('5,000 wildcards', () => {
  if (wildcards.match(nextHost('www.eu.'), '/', false) !== null) found++
})
report('5,000 hosts, none of them', () => {
  if (simple.matchHost(nextHost('x'), false) === null) found++
})
if (found === 0) throw new Error('nothing was found')
