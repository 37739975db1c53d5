// The authority of one cluster and the certificates that it signs. They last as long as a cluster may be kept: a year.

import { generateKeyPair, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import forge from 'node-forge'

export interface KeyPair {
  /** PEM: the certificate. */
  readonly certificate: string
  /** PEM: PKCS #1. */
  readonly key: string
}

export interface Subject {
  readonly commonName: string
  /** Kubernetes reads the groups of a client from here. */
  readonly organization?: string
}

/** Where a server may be reached: what its certificate is good for. */
export interface ServerNames {
  readonly dns: readonly string[]
  readonly addresses: readonly string[]
}

const generate = promisify(generateKeyPair)

/** A new RSA key as PEM, made by OpenSSL's code: forge's own would take seconds. */
export async function rsaKey(): Promise<string> {
  const { privateKey } = await generate('rsa', { modulusLength: 2048 })
  return privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
}

/** A new authority, signed by itself. */
export async function authority(commonName: string): Promise<KeyPair> {
  const key = await rsaKey()
  const certificate = sign({ commonName }, key, { certificate: null, key }, [
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
  ])
  return { certificate, key }
}

export async function serverCertificate(issuer: KeyPair, subject: Subject, names: ServerNames): Promise<KeyPair> {
  const key = await rsaKey()
  const altNames = [...names.dns.map(value => ({ type: 2, value })), ...names.addresses.map(ip => ({ type: 7, ip }))]
  const extensions = [
    { name: 'extKeyUsage', serverAuth: true },
    { name: 'subjectAltName', altNames },
  ]
  return { certificate: sign(subject, key, issuer, extensions), key }
}

export async function clientCertificate(issuer: KeyPair, subject: Subject): Promise<KeyPair> {
  const key = await rsaKey()
  return { certificate: sign(subject, key, issuer, [{ name: 'extKeyUsage', clientAuth: true }]), key }
}

function sign(
  subject: Subject,
  key: string,
  issuer: { readonly certificate: string | null; readonly key: string },
  extensions: object[],
): string {
  const own = forge.pki.privateKeyFromPem(key)
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = forge.pki.setRsaPublicKey(own.n, own.e)
  // A leading zero byte keeps the number positive.
  certificate.serialNumber = `00${randomBytes(16).toString('hex')}`
  certificate.validity.notBefore = new Date(Date.now() - 3600_000)
  certificate.validity.notAfter = new Date(Date.now() + 365 * 24 * 3600_000)
  const attributes = [{ name: 'commonName', value: subject.commonName }]
  if (subject.organization) attributes.push({ name: 'organizationName', value: subject.organization })
  certificate.setSubject(attributes)
  const parent = issuer.certificate ? forge.pki.certificateFromPem(issuer.certificate) : certificate
  certificate.setIssuer(parent.subject.attributes)
  certificate.setExtensions(extensions)
  certificate.sign(forge.pki.privateKeyFromPem(issuer.key), forge.md.sha256.create())
  return forge.pki.certificateToPem(certificate)
}
