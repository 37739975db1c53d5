// Certificates with their keys as users send them: PEM (controller contract, section 5, Certificates). Whether the two
// belong together, for which hosts and how long is not asked: a pair may be replaced piece by piece.

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { commonNameOf, nameLine } from './certificate-name.ts'
import { readText } from './field.ts'
import { type FieldFaults, Refusal } from './refusal.ts'
import type { Certificate } from './user.ts'

/** Octets of both together: a Secret holds no more than a mebibyte. */
const mostOctets = 1_000_000

/** Of a key alone; one for RSA of 16,384 bits has 13,000. */
const mostKeyOctets = 100_000

/** Certificates of one chain. */
const mostCertificates = 100

export type ReadCertificate = Pick<
  Certificate,
  'chain' | 'key' | 'commonName' | 'san' | 'fingerprint' | 'starts' | 'expires' | 'issuer' | 'subject'
>

/** Messages never hold anything of the texts. */
export function parseCertificateText(chain: unknown, key: unknown): ReadCertificate {
  const faults = new Map<string, readonly string[]>()
  const attempt = <T>(read: () => T): T | null => {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof Refusal) || error.fields === null) throw error
      for (const [field, messages] of Object.entries(error.fields)) faults.set(field, messages)
      return null
    }
  }
  const readChain = attempt(() => parseChain(chain))
  const readKey = attempt(() => parseKey(key))
  if (readChain === null || readKey === null) {
    const fields: FieldFaults = Object.fromEntries(faults)
    throw new Refusal('invalid', [...faults.values()].flat().join(' '), { fields })
  }
  const { leaf } = readChain
  return {
    chain: readChain.text,
    key: readKey,
    commonName: commonNameOf(leaf.subject),
    san: dnsNames(leaf.subjectAltName),
    fingerprint: leaf.fingerprint256,
    starts: leaf.validFromDate,
    expires: leaf.validToDate,
    issuer: nameLine(leaf.issuer),
    subject: nameLine(leaf.subject),
  }
}

function refuse(field: 'certificate' | 'key', why: string): never {
  const message = field === 'certificate' ? `Could not load certificate: ${why}` : `Could not load private key: ${why}`
  throw new Refusal('invalid', message, { fields: { [field]: [message] } })
}

function parseChain(raw: unknown): { readonly text: string; readonly leaf: X509Certificate } {
  const text = readText('certificate', raw, { most: mostOctets - mostKeyOctets })
  // A key in the wrong field would be shown to whoever may see certificates.
  if (text.includes('PRIVATE KEY-----')) refuse('certificate', 'there is a private key in it')
  const blocks = text.match(
    /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g,
  )
  if (blocks === null) return refuse('certificate', 'no PEM certificate found')
  if (blocks.length > mostCertificates) refuse('certificate', `more than ${mostCertificates} certificates in one chain`)
  const [leaf] = blocks.map((block, index) => {
    try {
      const certificate = new X509Certificate(block)
      if (!Number.isFinite(certificate.validToDate.getTime() + certificate.validFromDate.getTime())) {
        throw new RangeError('a date that is none')
      }
      return certificate
    } catch {
      return refuse('certificate', `certificate ${index + 1} does not parse`)
    }
  })
  return { text, leaf: leaf! }
}

function parseKey(raw: unknown): string {
  const text = readText('key', raw, { most: mostKeyOctets })
  if (text.includes('ENCRYPTED')) refuse('key', 'it is encrypted')
  try {
    createPrivateKey(text)
  } catch {
    return refuse('key', 'it is no PEM private key')
  }
  return text
}

/** The DNS names of a certificate, as listed. */
function dnsNames(listed: string | undefined): readonly string[] {
  // Commas within an entry are escaped, and the entry is quoted.
  return (listed ?? '')
    .split(', ')
    .filter(entry => entry.startsWith('DNS:'))
    .map(entry => entry.slice('DNS:'.length))
}

/** The name that an owner gives it. */
export function parseCertificateName(raw: unknown): string {
  const name = readText('name', raw, { most: 253 })
  if (!/^[a-z0-9-]+$/.test(name)) {
    const message = 'Can only contain a-z (lowercase), 0-9 and hyphens'
    throw new Refusal('invalid', message, { fields: { name: [message] } })
  }
  return name
}

export const certificateTaken = 'certificate with this name already exists.'
