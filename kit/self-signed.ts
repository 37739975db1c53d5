// Self-signed certificates: X.509 v3 (RFC 5280) with an EC P-256 key; the few DER forms it takes are written out here.

import { generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto'

const day = 86_400_000
const oids = {
  ecdsaWithSha256: '2a8648ce3d040302',
  commonName: '550403',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  extendedKeyUsage: '551d25',
  serverAuth: '2b06010505070301',
} as const
export interface SelfSigned {
  /** PEM. */
  readonly chain: string
  /** PEM, PKCS #8. */
  readonly key: string
  /** SHA-256, upper-case hexadecimal with colons. */
  readonly fingerprint: string
  /** Milliseconds since the epoch. */
  readonly notAfter: number
}

/** Valid for the DNS `names` from a day before `now` (milliseconds) for `days` days after it. */
export function selfSign(names: readonly string[], days: number, now: number): SelfSigned {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const notAfter = Math.floor((now + days * day) / 1000) * 1000
  const der = signed(tbsCertificate(names, publicKey, new Date(now - day), new Date(notAfter)), privateKey)
  const certificate = new X509Certificate(der)
  return {
    chain: certificate.toString(),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    fingerprint: certificate.fingerprint256,
    notAfter,
  }
}

function signed(tbs: Buffer, key: KeyObject): Buffer {
  // With SHA-256 an EC key signs in the DER form that X.509 wants (RFC 3279 section 2.2.3).
  const signature = sign('sha256', tbs, key)
  return sequence(tbs, sequence(oid(oids.ecdsaWithSha256)), bitString(signature))
}

function tbsCertificate(names: readonly string[], publicKey: KeyObject, notBefore: Date, notAfter: Date): Buffer {
  const serial = randomBytes(16)
  // Positive, and not zero (RFC 5280 section 4.1.2.2).
  serial[0] = (serial[0]! & 0x7f) | 0x40
  const subject = sequence(set(sequence(oid(oids.commonName), der(0x0c, Buffer.from(names[0] ?? '')))))
  return sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    sequence(oid(oids.ecdsaWithSha256)),
    subject,
    sequence(time(notBefore), time(notAfter)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(
      0xa3,
      sequence(
        sequence(oid(oids.basicConstraints), octets(sequence())),
        sequence(oid(oids.extendedKeyUsage), octets(sequence(oid(oids.serverAuth)))),
        sequence(oid(oids.subjectAltName), octets(sequence(...names.map(name => der(0x82, Buffer.from(name)))))),
      ),
    ),
  )
}

/** One DER element: tag, length in its shortest form, contents (X.690 section 10.1). */
function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const body = Buffer.concat(contents)
  const size = body.length
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}

function sequence(...contents: readonly Buffer[]): Buffer {
  return der(0x30, ...contents)
}

function set(...contents: readonly Buffer[]): Buffer {
  return der(0x31, ...contents)
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'))
}

function octets(contents: Buffer): Buffer {
  return der(0x04, contents)
}

function bitString(contents: Buffer): Buffer {
  return der(0x03, Buffer.from([0]), contents)
}

/** UTCTime until 2049, GeneralizedTime from then on (RFC 5280 section 4.1.2.5). */
function time(at: Date): Buffer {
  const digits = at.toISOString().replace(/[-:T]|\.\d+/g, '')
  return at.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits))
}
