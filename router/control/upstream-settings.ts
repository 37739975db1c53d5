// How the endpoints of a Service port are used, from the annotations of the Service and the port's appProtocol.

import { parseHostname } from '../model/hostname.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import {
  type Balance,
  type HashKey,
  standardUpstreamSettings,
  type UpstreamProtocol,
  type UpstreamSettings,
} from '../model/upstream-settings.ts'
import { boolean, duration, integer, oneOf, type Parser, quote } from './annotation.ts'
import { type Annotations, annotation, inForce, optional, readTable, row, strict } from './annotation-table.ts'
import {
  longestCheckPath,
  longestQueue,
  longestQueueTimeout,
  longestSlowStart,
  mostFailures,
  mostInFlight,
} from './bounds.ts'

const prefix = 'router.deis.io/'
const second = 1000
const day = 24 * 60 * 60 * second

const protocols: Readonly<Record<string, UpstreamProtocol>> = {
  http: 'http1',
  https: 'https',
  h2c: 'h2c',
  h2: 'h2',
  grpc: 'h2c',
  grpcs: 'h2',
}

/** Kubernetes' own names, those of IANA, and what other routers take. */
const appProtocols: Readonly<Record<string, UpstreamProtocol>> = {
  http: 'http1',
  'kubernetes.io/ws': 'http1',
  https: 'https',
  'kubernetes.io/wss': 'https',
  'kubernetes.io/h2c': 'h2c',
  h2c: 'h2c',
  http2: 'h2c',
  grpc: 'h2c',
  h2: 'h2',
  grpcs: 'h2',
}

function valueIn<T>(table: Readonly<Record<string, T>>, key: string): T | null {
  return Object.hasOwn(table, key) ? table[key]! : null
}

const protocol: Parser<UpstreamProtocol> = raw => {
  const value = valueIn(protocols, raw.toLowerCase())
  return value === null
    ? { kind: 'bad', reason: 'is none of HTTP, HTTPS, H2C, H2, GRPC, GRPCS' }
    : { kind: 'value', value }
}

function within(least: number, most: number): Parser<number> {
  return raw => {
    const parsed = duration(raw)
    if (parsed.kind === 'bad' || (parsed.value >= least && parsed.value <= most)) return parsed
    return { kind: 'bad', reason: `is not between ${least / second} s and ${most / second} s` }
  }
}

// RFC 9110 section 5.6.2, as long as anybody would write one.
const token = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/

const cookieName: Parser<string> = raw =>
  token.test(raw) ? { kind: 'value', value: raw } : { kind: 'bad', reason: 'is no name of a cookie' }

const hashKey: Parser<HashKey> = raw => {
  if (raw === 'client-address') return { kind: 'value', value: { kind: 'client-address' } }
  const [kind = '', ...rest] = raw.split(':')
  const name = rest.join(':')
  if (token.test(name)) {
    if (kind === 'header') return { kind: 'value', value: { kind, name: name.toLowerCase() } }
    if (kind === 'cookie') return { kind: 'value', value: { kind, name } }
  }
  return { kind: 'bad', reason: 'is none of client-address, header:NAME, cookie:NAME' }
}

const hostName: Parser<string> = raw => {
  const value = parseHostname(raw)
  return value === null ? { kind: 'bad', reason: 'is no host name' } : { kind: 'value', value }
}

// Visible octets only: it goes into a request line.
const checkPath: Parser<string> = raw =>
  raw.length <= longestCheckPath && /^\/[\x21-\x7e]*$/.test(raw)
    ? { kind: 'value', value: raw }
    : { kind: 'bad', reason: 'is no path' }

const anyNumber = 'any number'

const rows = {
  // What is to protect an app and cannot be read must not leave it open: these are strict.
  backendProtocol: optional(protocol, "what the port's appProtocol says, else HTTP", inForce),
  'backendTls.serverName': optional(hostName, 'none', inForce),
  'backendTls.verify': strict(row(boolean, 'false', inForce), 'true'),
  loadBalancing: row(oneOf('power-of-two', 'round-robin', 'hash'), 'power-of-two', inForce),
  hashBy: row(hashKey, 'client-address', inForce),
  stickyCookie: optional(cookieName, 'none', inForce),
  slowStart: optional(within(1, longestSlowStart), 'none', inForce),
  maxRequests: strict(optional(integer(1, mostInFlight), anyNumber, inForce), '100'),
  maxEndpointRequests: strict(optional(integer(1, mostInFlight), anyNumber, inForce), '20'),
  queueLength: strict(row(integer(0, longestQueue), '64', inForce), '0'),
  queueTimeout: strict(row(within(1, longestQueueTimeout), '1s', inForce), '1s'),
  'ejection.on': row(oneOf('off', 'connections', 'answers'), 'connections', inForce),
  'ejection.failures': row(integer(1, mostFailures), '5', inForce),
  'healthCheck.path': optional(checkPath, 'no checks', inForce),
  'healthCheck.interval': row(within(second, day), '10s', inForce),
  'healthCheck.timeout': row(within(1, day), '2s', inForce),
  'healthCheck.unhealthy': row(integer(1, mostFailures), '3', inForce),
  'healthCheck.healthy': row(integer(1, mostFailures), '2', inForce),
}

/** Every key below the prefix that is read here. */
export const upstreamKeys: readonly string[] = Object.keys(rows)

export interface UpstreamSettingsReading {
  readonly settings: UpstreamSettings
  readonly problems: readonly Problem[]
}

/** `object` is the Service that has the `annotations`; `appProtocol` that of its port, null: none. */
export function readUpstreamSettings(
  annotations: Annotations,
  object: ObjectRef,
  appProtocol: string | null,
): UpstreamSettingsReading {
  const hinted = appProtocol === null ? 'http1' : valueIn(appProtocols, appProtocol.toLowerCase())
  // Nearly all Services: what is one object here is sent once to each data thread.
  if (hinted === 'http1' && upstreamKeys.every(key => annotation(annotations, prefix + key) === null))
    return { settings: standardUpstreamSettings, problems: [] }
  const { values: of, problems: found } = readTable(rows, {}, prefix, annotations, object)
  const problems = [...found]
  const useless = (key: keyof typeof rows, needed: string): void => {
    if (annotation(annotations, prefix + key) === null) return
    const message = `${prefix}${key} says nothing without ${prefix}${needed}`
    problems.push({ code: 'annotation-without-effect', severity: 'warning', object, message })
  }
  const spoken = of.backendProtocol ?? hinted ?? 'http1'
  if (of['backendTls.verify'] && spoken !== 'https' && spoken !== 'h2') {
    const message = `${prefix}backendTls.verify says nothing without TLS, which ${prefix}backendProtocol is about`
    problems.push({ code: 'annotation-without-effect', severity: 'warning', object, message })
  }
  if (of.loadBalancing !== 'hash') useless('hashBy', 'loadBalancing: hash')
  const path = of['healthCheck.path']
  if (path === null) {
    for (const key of ['interval', 'timeout', 'unhealthy', 'healthy'] as const)
      useless(`healthCheck.${key}`, 'healthCheck.path')
  }
  if (of.maxRequests === null && of.maxEndpointRequests === null) {
    for (const key of ['queueLength', 'queueTimeout'] as const) useless(key, 'maxRequests or maxEndpointRequests')
  }
  if (hinted === null && of.backendProtocol === null) {
    const message = `appProtocol ${quote(appProtocol!)} of a port is not known here: it is spoken to in plain HTTP/1.1`
    problems.push({ code: 'unsupported', severity: 'warning', object, message })
  }
  const settings: UpstreamSettings = {
    protocol: spoken,
    tls: { serverName: of['backendTls.serverName'], verify: of['backendTls.verify'] },
    balance: balanceOf(of.loadBalancing, of.hashBy),
    stickyCookie: of.stickyCookie,
    slowStart: of.slowStart ?? 0,
    limits: {
      requests: of.maxRequests ?? 0,
      endpointRequests: of.maxEndpointRequests ?? 0,
      queueLength: of.queueLength,
      queueTimeout: of.queueTimeout,
    },
    ejection: { on: of['ejection.on'], failures: of['ejection.failures'] },
    healthCheck:
      path === null
        ? null
        : {
            path,
            interval: of['healthCheck.interval'],
            // One check at a time.
            timeout: Math.min(of['healthCheck.timeout'], of['healthCheck.interval']),
            unhealthy: of['healthCheck.unhealthy'],
            healthy: of['healthCheck.healthy'],
          },
  }
  return { settings, problems }
}

function balanceOf(kind: Balance['kind'], by: HashKey): Balance {
  return kind === 'hash' ? { kind, by } : { kind }
}
