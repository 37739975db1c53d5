// From a Secret to a checked pair of certificate and key (contract section 8), or to the reason why it is none.
// Messages never hold anything from the Secret itself, not even OpenSSL's words about it.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { Certificate, CertificateId } from '../model/certificate.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'

export type CertificateReading =
  | { readonly kind: 'whole'; readonly certificate: Certificate }
  | { readonly kind: 'broken'; readonly problem: Problem }

/** Carries a reason from the depth of the checks to `readCertificate`, the only one to catch it. */
class Broken extends Error {}

// More than the API server lets a Secret hold.
const longestData = 2 * 1024 * 1024

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The text of a key of the Secret. As in the API, `stringData` overrides `data`. */
function textOf(secret: unknown, key: string): string {
  const { data, stringData } = isMap(secret) ? secret : {}
  if (isMap(stringData) && Object.hasOwn(stringData, key)) {
    const text = stringData[key]
    if (typeof text !== 'string') throw new Broken(`stringData "${key}" is no string`)
    if (text.length > longestData) throw new Broken(`"${key}" is too long`)
    return text
  }
  if (!isMap(data) || !Object.hasOwn(data, key)) throw new Broken(`it lacks "${key}"`)
  const encoded = data[key]
  if (typeof encoded !== 'string') throw new Broken(`"${key}" is no base64 text`)
  if (encoded.length > longestData) throw new Broken(`"${key}" is too long`)
  const packed = encoded.replaceAll(/[\t\n\f\r ]/g, '')
  if (packed.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(packed)) throw new Broken(`"${key}" is no base64 text`)
  return Buffer.from(packed, 'base64').toString('latin1')
}

const begin = '-----BEGIN CERTIFICATE-----'
const end = '-----END CERTIFICATE-----'

/** The certificate blocks of a PEM text; what stands between them, be it a private key, stays behind. */
function certificateBlocks(pem: string): readonly string[] {
  const blocks: string[] = []
  let from = pem.indexOf(begin)
  while (from >= 0) {
    const to = pem.indexOf(end, from)
    if (to < 0) throw new Broken('"tls.crt" ends in the middle of a certificate')
    blocks.push(`${pem.slice(from, to + end.length)}\n`)
    from = pem.indexOf(begin, to)
  }
  if (blocks.length === 0) throw new Broken('"tls.crt" holds no PEM certificate')
  return blocks
}

function parseCertificate(pem: string, index: number): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch {
    throw new Broken(`certificate ${index + 1} in "tls.crt" does not parse`)
  }
}

function parseKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    // OpenSSL's error code for a missing passphrase differs from version to version; the PEM says it in plain text.
    const isEncrypted = pem.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----') || pem.includes('Proc-Type: 4,ENCRYPTED')
    throw new Broken(`the private key in "tls.key" ${isEncrypted ? 'is encrypted' : 'does not parse'}`)
  }
}

function read(id: CertificateId, secret: unknown, last: Certificate | null): Certificate {
  const crt = textOf(secret, 'tls.crt')
  const key = textOf(secret, 'tls.key')
  const blocks = certificateBlocks(crt)
  const chain = blocks.join('')
  if (last !== null && last.chain === chain && last.key === key) return last
  const [leaf] = blocks.map(parseCertificate)
  if (!leaf!.checkPrivateKey(parseKey(key))) {
    throw new Broken('the private key in "tls.key" does not belong to the first certificate in "tls.crt"')
  }
  try {
    // What the data path will do with the pair; this also finds keys and signatures too weak for OpenSSL.
    createSecureContext({ cert: chain, key })
  } catch {
    throw new Broken('OpenSSL does not accept the pair: its key or signature may be too weak')
  }
  return Object.freeze({ id, chain, key, fingerprint: leaf!.fingerprint256, notAfter: leaf!.validToDate.getTime() })
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
    return { kind: 'whole', certificate: read(certificateId(ref.namespace, ref.name), secret, last) }
  } catch (error) {
    if (!(error instanceof Broken)) throw error
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
export function namesOf({ chain }: Certificate): ReadonlySet<string> {
  const { subjectAltName, subject } = new X509Certificate(chain)
  const listed = subjectAltName ?? ''
  const names = [...listed.matchAll(/(?:^|, )DNS:([^,\s"]+)/g)].map(match => match[1]!.toLowerCase())
  const common = /(?:^|\n)CN=([^\n]+)/.exec(subject ?? '')?.[1]
  return new Set(listed === '' && common !== undefined ? [common.toLowerCase()] : names)
}
