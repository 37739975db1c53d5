// Router-wide settings from the annotations of the Deployment `deis-router` (contract sections 4 and 16).

import type { CertificateId } from '../model/certificate.ts'
import { parseHostname } from '../model/hostname.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import type { RouterSettings } from '../model/settings.ts'
import { isSpoiltList, whitelist } from './allow-list.ts'
import {
  boolean,
  cidrList,
  duration,
  integer,
  oneOf,
  type Parser,
  setOf,
  size,
  sizeOrZero,
  someText,
  text,
  wordOr,
  words,
} from './annotation.ts'
import {
  type Annotations,
  grave,
  inForce,
  nginxOnly,
  optional,
  type RetiredKeys,
  readTable,
  row,
  strict,
  unprotected,
} from './annotation-table.ts'
import { freezeDeep } from './freeze.ts'
import { settingsFaults } from './settings-faults.ts'

const prefix = 'router.deis.io/nginx.'
/** More data threads than any machine has cores would only slow each other down. */
const maxThreads = 256

/**
 * At least two labels, the last of two characters or more, no double hyphen. `localhost` is one besides: names below it
 * are a machine's own (RFC 6761 section 6.3).
 */
const platformDomain: Parser<NonNullable<RouterSettings['platformDomain']>> = raw => {
  const host = /^[A-Za-z0-9.-]+$/.test(raw) ? parseHostname(raw) : null
  if (host === null || host.includes('--') || !(/\.[^.]{2,}$/.test(host) || host === 'localhost')) {
    return { kind: 'bad', reason: 'is no domain (two labels or more, no double hyphen)' }
  }
  return { kind: 'value', value: host }
}

/** Tokens of the Referrer-Policy field, and `none`: no such field. */
export const referrerPolicy = oneOf(
  'no-referrer',
  'no-referrer-when-downgrade',
  'origin',
  'origin-when-cross-origin',
  'same-origin',
  'strict-origin',
  'strict-origin-when-cross-origin',
  'unsafe-url',
  'none',
)

const cipherString: Parser<string | null> = raw => {
  if (raw === '') return { kind: 'value', value: null }
  if (/^[A-Za-z0-9!+:@=_.,|[\] -]+$/.test(raw)) return { kind: 'value', value: raw }
  return { kind: 'bad', reason: 'is no OpenSSL cipher string' }
}

const sessionCache: Parser<string> = raw => {
  const caches = raw.split(/[\t ]/).filter(word => word !== '')
  const known = caches.every(cache => /^(builtin(:[1-9][0-9]*)?|shared:\w+:[1-9][0-9]*[kKmM]?)$/.test(cache))
  if (raw === '' || raw === 'off' || raw === 'none' || (known && (caches.length === 1 || caches.length === 2))) {
    return { kind: 'value', value: raw }
  }
  return { kind: 'bad', reason: 'is none of off, none, builtin[:n], shared:<name>:<size>' }
}

const methods: Parser<readonly string[]> = raw =>
  /^[A-Z]+(\|[A-Z]+)*$/.test(raw)
    ? { kind: 'value', value: raw.split('|') }
    : { kind: 'bad', reason: 'is no |-separated list of methods' }

const nothing: readonly string[] = []

// Columns: type and constraint, default, whether the data path acts on it, and values that hold without its doing.
const rows = {
  workerProcesses: row(wordOr('auto', null, integer(1, maxThreads)), 'auto', inForce),
  maxWorkerConnections: optional(integer(), 'as many as there are file descriptors for', inForce),
  trafficStatusZoneSize: row(size, '1m', nginxOnly),
  defaultTimeout: row(duration, '1300s', inForce),
  serverNameHashMaxSize: row(size, '512', nginxOnly),
  serverNameHashBucketSize: row(size, '64', nginxOnly),
  requestIDs: row(boolean, 'false', inForce),
  requestStartHeader: row(boolean, 'false', inForce),
  'gzip.enabled': row(boolean, 'true', inForce),
  'gzip.compLevel': row(integer(1, 9), '5', inForce),
  'gzip.disable': row(wordOr('', nothing, words(/^/, 'expressions')), 'msie6', inForce),
  'gzip.httpVersion': row(oneOf('1.0', '1.1'), '1.1', inForce),
  'gzip.minLength': row(integer(0), '256', inForce),
  'gzip.proxied': row(
    setOf('off', 'expired', 'no-cache', 'no-store', 'private', 'no_last_modified', 'no_etag', 'auth', 'any'),
    'any',
    inForce,
  ),
  'gzip.types': row(
    words(/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/, 'MIME types'),
    'application/atom+xml application/javascript application/json application/rss+xml application/vnd.ms-fontobject ' +
      'application/x-font-ttf application/x-web-app-manifest+json application/xhtml+xml application/xml ' +
      'font/opentype image/svg+xml image/x-icon text/css text/plain text/x-component',
    inForce,
  ),
  'gzip.vary': row(oneOf('on', 'off'), 'on', inForce),
  // Above these levels one answer would keep a data thread from all others for tens of milliseconds.
  'brotli.enabled': row(boolean, 'true', inForce),
  'brotli.compLevel': row(integer(0, 8), '4', inForce),
  'zstd.enabled': row(boolean, 'true', inForce),
  'zstd.compLevel': row(integer(1, 12), '3', inForce),
  bodySize: row(sizeOrZero, '1m', inForce),
  largeHeaderBuffersCount: row(integer(), '4', inForce),
  largeHeaderBuffersSize: row(size, '32k', inForce),
  disableServerTokens: row(boolean, 'false', inForce),
  proxyRealIpCidrs: row(cidrList, '10.0.0.0/8', inForce),
  forwardedFrom: row(oneOf('any', 'proxies'), 'any', inForce),
  maxHops: row(integer(0, 50), '5', inForce),
  useProxyProtocol: row(boolean, 'false', inForce),
  errorLogLevel: row(oneOf('debug', 'info', 'notice', 'warn', 'error', 'crit', 'alert', 'emerg'), 'error', inForce),
  platformDomain: optional(platformDomain, 'none', inForce),
  enforceWhitelists: grave(row(boolean, 'false', inForce)),
  defaultWhitelist: grave(optional(whitelist, 'a list that lets nobody in', inForce)),
  whitelistMode: row(oneOf('extend', 'override'), 'extend', inForce),
  defaultServiceEnabled: row(boolean, 'false', inForce),
  defaultServiceIP: row(text, '', inForce),
  defaultAppName: row(text, '', inForce),
  http2Enabled: row(boolean, 'true', inForce),
  http2Cleartext: row(boolean, 'false', inForce),
  logFormat: optional(someText, "the contract's own format", inForce),
  'proxyBuffers.enabled': row(boolean, 'false', inForce),
  'proxyBuffers.number': row(integer(), '8', inForce),
  'proxyBuffers.size': row(size, '4k', inForce),
  'proxyBuffers.busySize': row(size, '8k', nginxOnly),
  referrerPolicy: optional(referrerPolicy, 'none', inForce),
  enableRegexDomains: row(boolean, 'false', inForce),
  hostOwnership: strict(row(oneOf('object', 'namespace'), 'object', inForce), 'namespace'),
  hostOwnershipTrusted: row(
    wordOr('', nothing, words(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'namespaces')),
    '',
    inForce,
  ),
  loadModsecurityModule: row(boolean, 'false', unprotected, false),
  'ssl.enforce': row(boolean, 'false', inForce),
  // Section 16: versions below 1.2 only for those who ask for them.
  'ssl.protocols': row(setOf('SSLv2', 'SSLv3', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'), 'TLSv1.2 TLSv1.3', inForce),
  'ssl.ciphers': optional(cipherString, "the TLS library's list", inForce),
  'ssl.sessionCache': row(sessionCache, '', inForce),
  'ssl.sessionTimeout': row(duration, '10m', inForce),
  'ssl.useSessionTickets': row(boolean, 'true', inForce),
  'ssl.bufferSize': row(size, '4k', inForce),
  'ssl.earlyDataMethods': row(wordOr('', nothing, methods), 'GET|HEAD|OPTIONS', nginxOnly, nothing),
  'ssl.hsts.enabled': row(boolean, 'false', inForce),
  'ssl.hsts.maxAge': row(integer(), '15552000', inForce),
  'ssl.hsts.includeSubDomains': row(boolean, 'false', inForce),
  'ssl.hsts.preload': row(boolean, 'false', inForce),
}

const retired: RetiredKeys = {
  http2MaxHeaderSize: '',
  http2MaxFieldSize: '',
  loadTcellModule: '',
  globalTcellAppID: '',
  proxyRealIpCidr: 'use proxyRealIpCidrs',
  defaultDomain: 'use platformDomain',
}

/** Every key below the prefix that is read. */
export const routerKeys: readonly string[] = [...Object.keys(rows), ...Object.keys(retired)]

/** The `ssl.*` keys that work on the Deployment only. */
export const routerWideTlsKeys: readonly string[] = Object.keys(rows).filter(
  key => key.startsWith('ssl.') && key !== 'ssl.enforce',
)

export interface RouterSettingsReading {
  /** Frozen. */
  readonly settings: RouterSettings
  readonly problems: readonly Problem[]
}

/**
 * The settings that `annotations` of `object`, the Deployment, ask for. What Secrets hold (`platformCertificate`,
 * `tls.dhParameters`) is for others to find out.
 */
export function readRouterSettings(
  annotations: Annotations,
  object: ObjectRef,
  platformCertificate: CertificateId | null,
): RouterSettingsReading {
  const { values: of, problems } = readTable(rows, retired, prefix, annotations, object)
  const settings: RouterSettings = {
    workerProcesses: of.workerProcesses,
    maxWorkerConnections: of.maxWorkerConnections,
    defaultTimeout: of.defaultTimeout,
    requestIds: of.requestIDs,
    requestStartHeader: of.requestStartHeader,
    gzip: {
      enabled: of['gzip.enabled'],
      compLevel: of['gzip.compLevel'],
      disable: of['gzip.disable'],
      httpVersion: of['gzip.httpVersion'],
      minLength: of['gzip.minLength'],
      proxied: of['gzip.proxied'],
      types: of['gzip.types'],
      vary: of['gzip.vary'] === 'on',
    },
    brotli: { enabled: of['brotli.enabled'], compLevel: of['brotli.compLevel'] },
    zstd: { enabled: of['zstd.enabled'], compLevel: of['zstd.compLevel'] },
    bodySize: of.bodySize,
    largeHeaderBuffers: { count: of.largeHeaderBuffersCount, size: of.largeHeaderBuffersSize },
    disableServerTokens: of.disableServerTokens,
    proxyRealIpCidrs: of.proxyRealIpCidrs,
    forwardedFrom: of.forwardedFrom,
    maxHops: of.maxHops,
    useProxyProtocol: of.useProxyProtocol,
    errorLogLevel: of.errorLogLevel,
    platformDomain: of.platformDomain,
    enforceWhitelists: of.enforceWhitelists,
    defaultWhitelist: isSpoiltList(annotations, `${prefix}defaultWhitelist`) ? [] : of.defaultWhitelist,
    whitelistMode: of.whitelistMode,
    defaultService: {
      enabled: of.defaultServiceEnabled,
      address: of.defaultServiceIP,
      app: of.defaultAppName,
    },
    http2Enabled: of.http2Enabled,
    http2Cleartext: of.http2Cleartext,
    logFormat: of.logFormat,
    proxyBuffers: {
      enabled: of['proxyBuffers.enabled'],
      number: of['proxyBuffers.number'],
      size: of['proxyBuffers.size'],
      busySize: of['proxyBuffers.busySize'],
    },
    referrerPolicy: of.referrerPolicy,
    enableRegexDomains: of.enableRegexDomains,
    hostOwnership: of.hostOwnership,
    hostOwnershipTrusted: of.hostOwnershipTrusted,
    tls: {
      // Section 8: HSTS on plain HTTP would be a promise that the router itself breaks.
      enforce: of['ssl.enforce'] || of['ssl.hsts.enabled'],
      protocols: of['ssl.protocols'],
      ciphers: of['ssl.ciphers'],
      sessionCache: of['ssl.sessionCache'],
      sessionTimeout: of['ssl.sessionTimeout'],
      useSessionTickets: of['ssl.useSessionTickets'],
      bufferSize: of['ssl.bufferSize'],
      dhParameters: null,
      earlyDataMethods: of['ssl.earlyDataMethods'],
      hsts: {
        enabled: of['ssl.hsts.enabled'],
        maxAge: of['ssl.hsts.maxAge'],
        includeSubDomains: of['ssl.hsts.includeSubDomains'],
        preload: of['ssl.hsts.preload'],
      },
    },
    platformCertificate,
  }
  return { settings: freezeDeep(settings), problems: [...problems, ...settingsFaults(settings, prefix, object)] }
}
