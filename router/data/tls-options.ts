// The TLS settings (contract sections 4 and 16) as options of Node's secure contexts. Pure but for what the library knows.

import { constants } from 'node:crypto'
import { getCiphers, type SecureContextOptions, type SecureVersion } from 'node:tls'
import { readCipherList } from '../model/cipher-list.ts'
import type { TlsSettings } from '../model/settings.ts'
import { socketOptions } from './http/listener.ts'

/** How long a client may take for its handshake, in milliseconds. */
export const handshakeTimeout = 10_000

/** Of every server: none ever listens, they are handed every connection. */
export const handshakeOptions = {
  ...socketOptions,
  // Who leaves within the handshake is gone at once, and not when the handshake has taken too long.
  allowHalfOpen: false,
  handshakeTimeout,
} as const

/** What all contexts of a thread share, whatever their certificate. */
export type TlsOptions = Pick<
  SecureContextOptions,
  'minVersion' | 'maxVersion' | 'ciphers' | 'honorCipherOrder' | 'secureOptions' | 'sessionTimeout' | 'dhparam'
>

/** Oldest first. SSL 2 and 3 are not spoken, whoever asks. */
const versions: readonly SecureVersion[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']

export function tlsOptions(settings: TlsSettings): TlsOptions {
  const { dhParameters } = settings
  const { minVersion, maxVersion } = versionsOf(settings.protocols)
  const old = minVersion === 'TLSv1' || minVersion === 'TLSv1.1'
  const list = settings.ciphers === null ? null : readCipherList(settings.ciphers, getCiphers()).list
  return {
    minVersion,
    maxVersion,
    // Versions before 1.2 sign with SHA-1, which OpenSSL allows at its lowest level only.
    ciphers: old && !list?.includes('@SECLEVEL') ? `${list ?? 'DEFAULT'}:@SECLEVEL=0` : (list ?? undefined),
    honorCipherOrder: true,
    // With TLS 1.3 too nothing is resumed then.
    secureOptions: settings.useSessionTickets ? 0 : constants.SSL_OP_NO_TICKET,
    // Section 4: the timeout counts only with a cache.
    ...(settings.sessionCache !== '' && { sessionTimeout: secondsOf(settings.sessionTimeout) }),
    dhparam: dhParameters ?? 'auto',
  }
}

/** Seconds: the most that TLS 1.3 lets a ticket live (RFC 8446 section 4.6.1). */
const maxTimeout = 604_800

/** Node takes whole seconds and throws at anything else; none at all would be OpenSSL's own default. */
function secondsOf(timeout: number): number {
  return Math.max(1, Math.min(Math.ceil(timeout / 1000), maxTimeout))
}

/** The span of what is listed, for there can be no gaps; 1.2 and 1.3 when nothing usable is. */
function versionsOf(protocols: readonly string[]): { minVersion: SecureVersion; maxVersion: SecureVersion } {
  const listed = versions.filter(version => protocols.includes(version))
  return { minVersion: listed[0] ?? 'TLSv1.2', maxVersion: listed.at(-1) ?? 'TLSv1.3' }
}

/** Octets of a TLS record at most: what `ssl.bufferSize` says, within what TLS allows. */
export function recordSize({ bufferSize }: TlsSettings): number {
  return Math.max(512, Math.min(bufferSize, 16_384))
}

/** Whether sessions are kept for those who resume by session id. */
export function cachesSessions({ sessionCache }: TlsSettings): boolean {
  return sessionCache !== '' && sessionCache !== 'off' && sessionCache !== 'none'
}
