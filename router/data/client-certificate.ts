// What a handshake told of a client's certificate, for as long as the connection lasts: whom it was for, who vouches for the
// client, and what the app is told of it.

import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { AuthoritiesId } from '../model/authorities.ts'

export interface ClientCertificate {
  /** The host that the handshake was for: lower case, without a dot at its end. */
  readonly serverName: string
  /** Who would have had to sign the certificate. */
  readonly authorities: AuthoritiesId
  /** Whether there was one, and these have signed it. */
  readonly standing: 'none' | 'invalid' | 'verified'
  /** Until when it counts: milliseconds since the epoch. */
  readonly notAfter: number
  /** The lines for apps that want to know. */
  readonly lines: string
}

const nobody = 'X-Client-Cert-Verified: NONE\r\n'

/** Of a connection whose handshake asked for a certificate by these authorities, once it is done. */
export function clientCertificateOf(
  socket: TLSSocket,
  serverName: string,
  authorities: AuthoritiesId,
): ClientCertificate {
  const common = { serverName, authorities }
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return { ...common, standing: 'none', notAfter: 0, lines: nobody }
  // What nobody vouches for, nobody is told of.
  if (!socket.authorized) return { ...common, standing: 'invalid', notAfter: 0, lines: nobody }
  const notAfter = certificate.validToDate.getTime()
  return { ...common, standing: 'verified', notAfter, lines: linesOf(certificate) }
}

function linesOf({ subject, issuer, fingerprint256 }: X509Certificate): string {
  return (
    `X-Client-Cert-Verified: SUCCESS\r\nX-Client-Cert-Subject: ${distinguishedName(subject)}\r\n` +
    `X-Client-Cert-Issuer: ${distinguishedName(issuer)}\r\nX-Client-Cert-Fingerprint: ${fingerprint256}\r\n`
  )
}

/** A longer name is left out: half of one could be somebody else's. */
const longestName = 2048

/**
 * A name as RFC 4514 writes it, the most special part first. Node gives a line for each part, with all that RFC 4514
 * section 2.4 wants escaped; what is left that no field value can carry becomes octets in hexadecimal.
 */
export function distinguishedName(lines: string): string {
  const name = (lines ?? '')
    .split('\n')
    .filter(line => line !== '')
    .reverse()
    .join(',')
    .replace(/[^\x20-\x7e]/gu, character =>
      Array.from(Buffer.from(character), octet => `\\${octet.toString(16).padStart(2, '0').toUpperCase()}`).join(''),
    )
  return name.length > longestName ? '' : name
}
