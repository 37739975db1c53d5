// Settings of one app from the annotations of its Service (contract section 6).

import type { Cidr } from '../model/cidr.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import { isSpoiltList, whitelist } from './allow-list.ts'
import {
  boolean,
  certificateMap,
  domainList,
  duration,
  integer,
  type Parser,
  size,
  someText,
  wordOr,
} from './annotation.ts'
import {
  type Annotations,
  annotation,
  grave,
  inForce,
  nginxOnly,
  optional,
  type RetiredKeys,
  readTable,
  row,
} from './annotation-table.ts'
import { type ClientCertificateSettings, clientCertificateRows, clientCertificatesOf } from './client-certificates.ts'
import { type DomainEntry, parseDomainEntry } from './domain.ts'
import { referrerPolicy, routerWideTlsKeys } from './router-settings.ts'

const prefix = 'router.deis.io/'

/** Times in milliseconds, sizes in bytes; null where the router's own setting holds. */
export interface AppSettings {
  /** Empty: the app is not routed. */
  readonly domains: readonly DomainEntry[]
  /** Which certificate name secures which literal entry of `domains`. */
  readonly certificates: ReadonlyMap<DomainEntry, string>
  /** Null: not set. Empty: a list that does not parse, which must let nobody in rather than everybody. */
  readonly whitelist: readonly Cidr[] | null
  /** Null: nobody is asked for a certificate. */
  readonly clientCertificates: ClientCertificateSettings | null
  readonly connectTimeout: number
  readonly tcpTimeout: number | null
  readonly maintenance: boolean
  readonly enforceHttps: boolean
  readonly proxyBuffers: {
    readonly enabled: boolean | null
    readonly number: number | null
    readonly size: number | null
    readonly busySize: number | null
  }
  readonly regexDomain: string | null
  readonly disableRequestStartHeader: boolean
  readonly referrerPolicy: string | null
  readonly proxyDomain: DomainEntry | null
  /** As written: one bad prefix costs itself, not the list, so that `location.ts` reads it. */
  readonly proxyLocations: string
}

// The controller leaves emptied lists behind as "" (section 3), so for its keys that is no mistake: nothing is set.
const domains = wordOr<readonly DomainEntry[], readonly DomainEntry[]>('', [], domainList)
const certificates = wordOr('', new Map<DomainEntry, string>(), certificateMap)

const domainEntry: Parser<DomainEntry> = raw => {
  const entry = parseDomainEntry(raw)
  return entry === null ? { kind: 'bad', reason: 'is no domain' } : { kind: 'value', value: entry }
}

const unread: Parser<string> = raw => ({ kind: 'value', value: raw })

const rows = {
  domains: grave(optional(domains, 'no domains, so that the app is not routed', inForce)),
  certificates: grave(optional(certificates, 'no certificates, so that no domain of its own has HTTPS', inForce)),
  whitelist: grave(optional(whitelist, 'a list that lets nobody in', inForce)),
  ...clientCertificateRows,
  connectTimeout: row(duration, '30s', inForce),
  tcpTimeout: optional(duration, "the router's defaultTimeout", inForce),
  maintenance: row(boolean, 'false', inForce),
  'ssl.enforce': row(boolean, 'false', inForce),
  'nginx.proxyBuffers.enabled': optional(boolean, "the router's", inForce),
  'nginx.proxyBuffers.number': optional(integer(), "the router's", inForce),
  'nginx.proxyBuffers.size': optional(size, "the router's", inForce),
  'nginx.proxyBuffers.busySize': optional(size, "the router's", nginxOnly),
  regexDomain: optional(someText, 'none', inForce),
  disableRequestStartHeader: row(boolean, 'false', inForce),
  referrerPolicy: optional(referrerPolicy, "the router's", inForce),
  proxyDomain: optional(domainEntry, 'none', inForce),
  proxyLocations: row(unread, '', inForce),
}

const retired: RetiredKeys = { tcellAppID: '' }

/** Every key below the prefix that is read on a Service. */
export const appKeys: readonly string[] = Object.keys(rows)

export interface AppSettingsReading {
  readonly settings: AppSettings
  readonly problems: readonly Problem[]
}

/** The settings that `annotations` of `object`, a routable Service, ask for. */
export function readAppSettings(annotations: Annotations, object: ObjectRef): AppSettingsReading {
  const { values: of, problems: found } = readTable(rows, retired, prefix, annotations, object)
  const problems = [...found]
  const isSpoilt = isSpoiltList(annotations, `${prefix}whitelist`)
  for (const name of routerWideTlsKeys) {
    if (annotation(annotations, prefix + name) === null) continue
    const message = `${prefix}${name} works for the whole router only, on its Deployment; on a Service it has no effect`
    problems.push({ code: 'annotation-without-effect', severity: 'warning', object, message })
  }
  const settings: AppSettings = {
    domains: of.domains ?? [],
    certificates: of.certificates ?? new Map(),
    whitelist: isSpoilt ? [] : of.whitelist,
    clientCertificates: clientCertificatesOf(of, prefix, annotations, object, problems),
    connectTimeout: of.connectTimeout,
    tcpTimeout: of.tcpTimeout,
    maintenance: of.maintenance,
    enforceHttps: of['ssl.enforce'],
    proxyBuffers: {
      enabled: of['nginx.proxyBuffers.enabled'],
      number: of['nginx.proxyBuffers.number'],
      size: of['nginx.proxyBuffers.size'],
      busySize: of['nginx.proxyBuffers.busySize'],
    },
    regexDomain: of.regexDomain,
    disableRequestStartHeader: of.disableRequestStartHeader,
    referrerPolicy: of.referrerPolicy,
    proxyDomain: of.proxyDomain,
    proxyLocations: of.proxyLocations,
  }
  return { settings, problems }
}
