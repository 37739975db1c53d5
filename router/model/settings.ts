// The router-wide settings: every `router.deis.io/nginx.<key>` annotation of the `deis-router` Deployment, parsed
// (contract section 4), with the contract's defaults. Times in milliseconds, sizes in bytes.

import type { CertificateId } from './certificate.ts'
import type { Cidr } from './cidr.ts'
import type { Hostname } from './hostname.ts'

export type LogLevel = 'debug' | 'info' | 'notice' | 'warn' | 'error' | 'crit' | 'alert' | 'emerg'

export interface GzipSettings {
  readonly enabled: boolean
  readonly compLevel: number
  /** Expressions or `msie6`; user agents that match are never answered compressed. */
  readonly disable: readonly string[]
  readonly httpVersion: '1.0' | '1.1'
  readonly minLength: number
  readonly proxied: readonly string[]
  /** `text/html` always counts too. */
  readonly types: readonly string[]
  readonly vary: boolean
}

/** Codings besides gzip; `GzipSettings` says what is compressed and whether at all. */
export interface CodingSettings {
  readonly enabled: boolean
  readonly compLevel: number
}

export interface TlsSettings {
  readonly enforce: boolean
  readonly protocols: readonly string[]
  /** Null: the library's default list. */
  readonly ciphers: string | null
  readonly sessionCache: string
  readonly sessionTimeout: number
  readonly useSessionTickets: boolean
  readonly bufferSize: number
  /** PEM, of 2048 bits at least; null: the TLS library chooses. */
  readonly dhParameters: string | null
  readonly earlyDataMethods: readonly string[]
  readonly hsts: {
    readonly enabled: boolean
    /** Seconds, as the field has it. */
    readonly maxAge: number
    readonly includeSubDomains: boolean
    readonly preload: boolean
  }
}

export interface ProxyBufferSettings {
  readonly enabled: boolean
  readonly number: number
  readonly size: number
  readonly busySize: number
}

export interface RouterSettings {
  /** Null: one data thread per core. */
  readonly workerProcesses: number | null
  /** Null: as many as the process has file descriptors for. */
  readonly maxWorkerConnections: number | null
  readonly defaultTimeout: number
  readonly requestIds: boolean
  readonly requestStartHeader: boolean
  readonly gzip: GzipSettings
  readonly brotli: CodingSettings
  readonly zstd: CodingSettings
  /** 0: unlimited. */
  readonly bodySize: number
  readonly largeHeaderBuffers: { readonly count: number; readonly size: number }
  readonly disableServerTokens: boolean
  readonly proxyRealIpCidrs: readonly Cidr[]
  /** Whose X-Forwarded-Proto and -Port count on plain HTTP: any peer's, or that of `proxyRealIpCidrs` only. */
  readonly forwardedFrom: 'any' | 'proxies'
  /** Routers of this kind that a request may pass one after the other; 0: nobody counts. */
  readonly maxHops: number
  readonly useProxyProtocol: boolean
  readonly errorLogLevel: LogLevel
  readonly platformDomain: Hostname | null
  readonly enforceWhitelists: boolean
  readonly defaultWhitelist: readonly Cidr[] | null
  readonly whitelistMode: 'extend' | 'override'
  readonly defaultService: { readonly enabled: boolean; readonly address: string; readonly app: string }
  /** By ALPN, on the HTTPS port. */
  readonly http2Enabled: boolean
  /** By prior knowledge, on the HTTP port (RFC 9113 section 3.3). */
  readonly http2Cleartext: boolean
  /** Null: the contract's own format (section 14). */
  readonly logFormat: string | null
  readonly proxyBuffers: ProxyBufferSettings
  readonly referrerPolicy: string | null
  readonly enableRegexDomains: boolean
  /** Who has a host: an object, others joining it by the contracts' rules; or a namespace, with all that overlaps. */
  readonly hostOwnership: 'object' | 'namespace'
  /** Namespaces that go before all others then. */
  readonly hostOwnershipTrusted: readonly string[]
  readonly tls: TlsSettings
  /** `deis-router-platform-cert` of the router's namespace; null while it is missing or not whole. */
  readonly platformCertificate: CertificateId | null
}
