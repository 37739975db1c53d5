// From a Secret to a checked pair of certificate and key (contract section 8), or to the reason why it is none.
// Messages never hold anything from the Secret itself, not even OpenSSL's words about it.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { Certificate, CertificateId } from '../model/certificate.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import { certificateBlocks, textOf, Unreadable } from './secret-text.ts'

export type CertificateReading =
  /** `names`: the DNS names that it is for, each once; null: it is the last one. */
  | { readonly kind: 'whole'; readonly certificate: Certificate; readonly names: readonly string[] | null }
  | { readonly kind: 'broken'; readonly problem: Problem }

function parseCertificate(pem: string, index: number): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch {
    throw new Unreadable(`certificate ${index + 1} in "tls.crt" does not parse`)
  }
}

function parseKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    // OpenSSL's error code for a missing passphrase differs from version to version; the PEM says it in plain text.
    const isEncrypted = pem.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----') || pem.includes('Proc-Type: 4,ENCRYPTED')
    throw new Unreadable(`the private key in "tls.key" ${isEncrypted ? 'is encrypted' : 'does not parse'}`)
  }
}

/** Signatures with SHA-256 and longer, by ECDSA, RSA (PKCS #1) and Ed25519 (RFC 5758, RFC 4055, RFC 8410). */
const strongSignatures = new Set([
  ...['2', '3', '4'].map(hash => `1.2.840.10045.4.3.${hash}`),
  ...['11', '12', '13'].map(hash => `1.2.840.113549.1.1.${hash}`),
  '1.3.101.112',
])
const strongCurves = new Set(['prime256v1', 'secp384r1', 'secp521r1'])

/** Whether OpenSSL is known to take it at its level of security; of all else it is asked itself. */
function isStrong({ publicKey, signatureAlgorithmOid }: X509Certificate): boolean {
  if (signatureAlgorithmOid === undefined || !strongSignatures.has(signatureAlgorithmOid)) return false
  const { namedCurve = '', modulusLength = 0 } = publicKey.asymmetricKeyDetails ?? {}
  switch (publicKey.asymmetricKeyType) {
    case 'ec':
      return strongCurves.has(namedCurve)
    case 'rsa':
      return modulusLength >= 2048 && modulusLength <= 8192
    default:
      return publicKey.asymmetricKeyType === 'ed25519'
  }
}

/** Intermediate certificates that are strong, as PEM: thousands of chains have the same few. */
const strongIssuers = new Set<string>()
const mostIssuers = 100

function isStrongIssuer(pem: string, index: number): boolean {
  if (strongIssuers.has(pem)) return true
  const strong = isStrong(parseCertificate(pem, index))
  if (strongIssuers.size >= mostIssuers) strongIssuers.clear()
  if (strong) strongIssuers.add(pem)
  return strong
}

interface Checked {
  readonly certificate: Certificate
  readonly names: readonly string[] | null
}

function read(id: CertificateId, secret: unknown, last: Certificate | null): Checked {
  const crt = textOf(secret, 'tls.crt')
  const key = textOf(secret, 'tls.key')
  const blocks = certificateBlocks(crt, 'tls.crt')
  const joined = blocks.join('')
  // The very text of the Secret, where that is all there is: thousands of them take room.
  const chain = joined === crt ? crt : joined
  if (last !== null && last.chain === chain && last.key === key) return { certificate: last, names: null }
  const leaf = parseCertificate(blocks[0]!, 0)
  // All of them, so that each is parsed.
  const strongs = blocks.slice(1).map((block, index) => isStrongIssuer(block, index + 1))
  if (!leaf.checkPrivateKey(parseKey(key))) {
    throw new Unreadable('the private key in "tls.key" does not belong to the first certificate in "tls.crt"')
  }
  try {
    // What the data path will do with the pair; this also finds keys and signatures too weak for OpenSSL. It takes 0.25 ms
    // and 35 kB, which thousands of usual pairs shall not cost at once.
    if (!isStrong(leaf) || strongs.includes(false)) createSecureContext({ cert: chain, key })
  } catch {
    throw new Unreadable('OpenSSL does not accept the pair: its key or signature may be too weak')
  }
  const certificate = { id, chain, key, fingerprint: leaf.fingerprint256, notAfter: leaf.validToDate.getTime() }
  return { certificate: Object.freeze(certificate), names: namesOf(leaf) }
}

/** The name of a Secret's certificate. */
export function certificateId(namespace: string, name: string): CertificateId {
  return `${namespace}/${name}` as CertificateId
}

/**
 * Reads the Secret `namespace/name`, of whatever type, with the keys `tls.crt` (PEM, leaf first) and `tls.key` (PEM).
 * RSA, EC and Ed25519. `last` is returned, unchecked, when the Secret still holds just that pair. An expired
 * certificate is whole: see `expiryProblem`.
 */
export function readCertificate(ref: ObjectRef, secret: unknown, last: Certificate | null = null): CertificateReading {
  try {
    return { kind: 'whole', ...read(certificateId(ref.namespace, ref.name), secret, last) }
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    const message = `Secret ${ref.namespace}/${ref.name} holds no usable certificate: ${error.message}`
    return { kind: 'broken', problem: { code: 'certificate-invalid', severity: 'error', object: ref, message } }
  }
}

/** The warning about a certificate that has expired by `now` and is served all the same; null while it has not. */
export function expiryProblem(ref: ObjectRef, { notAfter }: Certificate, now: number): Problem | null {
  if (now <= notAfter) return null
  const when = new Date(notAfter).toISOString()
  const message = `the certificate in Secret ${ref.namespace}/${ref.name} expired at ${when}; it is still served`
  return { code: 'certificate-expired', severity: 'warning', object: ref, message }
}

/**
 * The DNS names that a certificate is for, in lower case, wildcards as they stand. Its common name counts only when it
 * lists no names (RFC 9525 section 2).
 */
export function namesOf({ subjectAltName, subject }: X509Certificate): readonly string[] {
  const listed = subjectAltName ?? ''
  const names = [...listed.matchAll(/(?:^|, )DNS:([^,\s"]+)/g)].map(match => match[1]!.toLowerCase())
  const common = /(?:^|\n)CN=([^\n]+)/.exec(subject ?? '')?.[1]
  return listed === '' && common !== undefined ? [common.toLowerCase()] : [...new Set(names)]
}
