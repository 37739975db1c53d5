// Certificates for tests, self-signed or by another one of them, with keys of any type and any date of expiry. X.509 (RFC 5280) in DER by hand.

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import type { Secret } from '#kube/types.ts'

export type KeyType = 'rsa' | 'ec' | 'ed25519'

export interface Pair {
  readonly crt: string
  readonly key: string
}

function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents)
  const digits = body.length.toString(16)
  const bytes = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex')
  const length = body.length < 0x80 ? bytes : Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes])
  return Buffer.concat([Buffer.from([tag]), length, body])
}

const sequence = (...contents: readonly Uint8Array[]) => der(0x30, ...contents)
const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'))
const utcTime = (time: number) =>
  der(0x17, Buffer.from(`${new Date(time).toISOString().replaceAll(/[-:T]/g, '').slice(2, 14)}Z`))

const algorithms: Readonly<Record<KeyType, Buffer>> = {
  rsa: sequence(oid('2a864886f70d01010b'), der(0x05)),
  ec: sequence(oid('2a8648ce3d040302')),
  ed25519: sequence(oid('2b6570')),
}

function generate(type: KeyType, bits: number): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  if (type === 'rsa') return generateKeyPairSync('rsa', { modulusLength: bits })
  return type === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
}

function pem(label: string, body: Buffer): string {
  return `-----BEGIN ${label}-----\n${body.toString('base64').replaceAll(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`
}

/** The name and the key that a certificate is signed with. */
export interface Issuer {
  readonly name: string
  readonly key: string
}

function nameOf(text: string): Buffer {
  return sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(text)))))
}

/** A pair for `name`, for one second until `notAfter` (milliseconds since the epoch, before 2050). */
export function makePair(name: string, notAfter: number, type: KeyType = 'ec', bits = 2048): Pair {
  return make(name, notAfter - 1000, notAfter, type, generate(type, bits), null)
}

/** One that counts now and for an hour; `issuer` null: it signs itself, and others. */
export function makeSigned(name: string, issuer: Issuer | null, notAfter = Date.now() + 3_600_000): Pair {
  return make(name, Date.now() - 3_600_000, notAfter, 'ec', generate('ec', 0), issuer)
}

function make(
  name: string,
  notBefore: number,
  notAfter: number,
  type: KeyType,
  { publicKey, privateKey }: ReturnType<typeof generate>,
  issuer: Issuer | null,
): Pair {
  const subject = nameOf(name)
  const tbs = sequence(
    der(0x02, Buffer.from([1])),
    algorithms[type],
    issuer === null ? subject : nameOf(issuer.name),
    sequence(utcTime(notBefore), utcTime(notAfter)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
  )
  const signature = sign(type === 'ed25519' ? null : 'sha256', tbs, issuer?.key ?? privateKey)
  const certificate = sequence(tbs, algorithms[type], der(0x03, Buffer.from([0]), signature))
  return {
    crt: pem('CERTIFICATE', certificate),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

/** The Secret `namespace/name` with what is given of the two. */
export function makeSecret(namespace: string, name: string, { crt, key }: Partial<Pair>): Secret {
  const encode = (text: string) => Buffer.from(text).toString('base64')
  return {
    metadata: { namespace, name },
    data: {
      ...(crt !== undefined && { 'tls.crt': encode(crt) }),
      ...(key !== undefined && { 'tls.key': encode(key) }),
    },
  }
}
