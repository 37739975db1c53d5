// The usual pair of today, an EC key on P-256 in PKCS #8 (RFC 5208, RFC 5915, RFC 5480), recognized by its octets: the library
// takes longer to read such a key than for all else about a certificate, and there may be ten thousand. Like the library
// this compares the public keys. Whatever looks the least bit different is for the library to judge.

const p256 = '301306072a8648ce3d020106082a8648ce3d030107'
/** Up to the 32 octets of the secret, what stands between them and the 65 of the public key, and what precedes those in a certificate. */
const beforeSecret = Buffer.from(`308187020100${p256}046d306b0201010420`, 'hex')
const beforePoint = Buffer.from('a144034200', 'hex')
const beforePointOfCertificate = Buffer.from(`3059${p256}034200`, 'hex')
const secretLength = 32
const pointLength = 65
const keyLength = beforeSecret.length + secretLength + beforePoint.length + pointLength
/** A secret is at least 1 and less than this. */
const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')
const zero = Buffer.alloc(secretLength)

const pem =
  /^-----BEGIN PRIVATE KEY-----\n([A-Za-z0-9+/]{64}\n[A-Za-z0-9+/]{64}\n[A-Za-z0-9+/]{56})\n-----END PRIVATE KEY-----\n?$/

/** Whether `key` (PEM) is such a key and belongs to the certificate, which the library has read. False: it may be another one. */
export function isUsualPair(certificate: Buffer, key: string): boolean {
  const text = pem.exec(key)?.[1]
  if (text === undefined) return false
  const octets = Buffer.from(text.replaceAll('\n', ''), 'base64')
  if (octets.length !== keyLength || !holds(octets, 0, beforeSecret)) return false
  const secretEnd = beforeSecret.length + secretLength
  const secret = octets.subarray(beforeSecret.length, secretEnd)
  if (secret.compare(zero) <= 0 || secret.compare(order) >= 0 || !holds(octets, secretEnd, beforePoint)) return false
  const at = publicKeyAt(certificate)
  return (
    at !== null &&
    holds(certificate, at, beforePointOfCertificate) &&
    holds(certificate, at + beforePointOfCertificate.length, octets.subarray(secretEnd + beforePoint.length))
  )
}

function holds(octets: Buffer, at: number, wanted: Buffer): boolean {
  const end = at + wanted.length
  return end <= octets.length && octets.compare(wanted, 0, wanted.length, at, end) === 0
}

/** Where subjectPublicKeyInfo begins in a certificate (RFC 5280 section 4.1); null: not where it should. */
function publicKeyAt(octets: Buffer): number | null {
  const certificate = elementAt(octets, 0)
  const signed = certificate === null ? null : elementAt(octets, certificate.start)
  let at = signed?.start ?? octets.length
  // Version, which the first version has not; serial number, signature, issuer, validity, subject.
  for (let left = octets[at] === 0xa0 ? 6 : 5; left > 0; left--) {
    const element = elementAt(octets, at)
    if (element === null) return null
    at = element.end
  }
  return at
}

/** Where the contents of the element at `at` start and end (X.690 section 8.1); null: of no definite length, or cut short. */
function elementAt(octets: Buffer, at: number): { readonly start: number; readonly end: number } | null {
  const first = octets[at + 1]
  if (first === undefined) return null
  const more = first < 0x80 ? 0 : first - 0x80
  const start = at + 2 + more
  if (first === 0x80 || more > 3 || start > octets.length) return null
  const length = more === 0 ? first : octets.readUIntBE(at + 2, more)
  return start + length > octets.length ? null : { start, end: start + length }
}
