// What is worth a warning of a certificate.

import { dateText, spanText } from '../output/times.ts'
import type { Certificate } from './app-records.ts'

/** Certificates that people renew by hand need some days for it. */
const soon = 30 * 86_400_000

type Dated = Pick<Certificate, 'name' | 'expires' | 'starts'>

/** A sentence, or null. */
export function expiryWarning({ name, expires, starts }: Dated, now: number): string | null {
  const begin = Date.parse(starts ?? '')
  if (begin > now) return `the certificate ${name} is not valid before ${dateText(starts)}.`
  const left = Date.parse(expires ?? '') - now
  if (Number.isNaN(left) || left > soon) return null
  if (left < 0) return `the certificate ${name} expired on ${dateText(expires)}.`
  return `the certificate ${name} expires on ${dateText(expires)}, in ${spanText(left)}.`
}

/** Whether one of its names is the domain, or its wildcard. Without any name nobody can tell. */
export function covers({ san, common_name }: Pick<Certificate, 'san' | 'common_name'>, domain: string): boolean {
  const listed = san ?? []
  const names = listed.length === 0 ? [common_name ?? ''].filter(name => name !== '') : listed
  const wanted = domain.toLowerCase()
  // A bare label is a name on the platform's domain, which we do not know here.
  if (names.length === 0 || !wanted.includes('.')) return true
  const parent = wanted.slice(wanted.indexOf('.'))
  return names.map(name => name.toLowerCase()).some(name => name === wanted || name === `*${parent}`)
}

/** Whether the key is the certificate's. True too when that cannot be told: the controller judges what they are. */
export async function belongs(key: string, certificate: string): Promise<boolean> {
  const { createPrivateKey, X509Certificate } = await import('node:crypto')
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))
  } catch {
    return true
  }
}
