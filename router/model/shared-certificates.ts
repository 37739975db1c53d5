// Certificates on their way to the data threads: thousands of pairs take 1 kB each, which all threads share. What is sent are
// the octets of a whole patch, in memory that no thread copies, and where in them each text is. They are freed when the
// last certificate of that patch has gone or been replaced, in all threads.

import type { Certificate, CertificateId } from './certificate.ts'
import type { Delta, Patch } from './patch.ts'

/** Where a certificate's texts end in the octets, each beginning where the one before ends. */
interface Place {
  readonly id: CertificateId
  readonly notAfter: number
  readonly start: number
  readonly chainEnd: number
  readonly keyEnd: number
  readonly fingerprintEnd: number
}

interface SharedCertificates {
  readonly octets: SharedArrayBuffer
  readonly places: readonly Place[]
  readonly deletes: Delta<Certificate, CertificateId>['deletes']
}

/** A Patch as it crosses from control to the data threads. */
export interface SharedPatch extends Omit<Patch, 'certificates'> {
  readonly certificates: SharedCertificates
}

/** To be called once for all threads. */
export function sharePatch(patch: Patch): SharedPatch {
  const { upserts, deletes } = patch.certificates
  let size = 0
  const end = (text: string): number => (size += Buffer.byteLength(text))
  const places = upserts.map(({ id, notAfter, chain, key, fingerprint }) => ({
    ...{ id, notAfter, start: size, chainEnd: end(chain) },
    ...{ keyEnd: end(key), fingerprintEnd: end(fingerprint) },
  }))
  const octets = new SharedArrayBuffer(size)
  const target = Buffer.from(octets)
  for (const [index, { chain, key, fingerprint }] of upserts.entries()) {
    const { start, chainEnd, keyEnd } = places[index]!
    target.write(chain, start)
    target.write(key, chainEnd)
    target.write(fingerprint, keyEnd)
  }
  return { ...patch, certificates: { octets, places, deletes } }
}

/** The same Patch again. Its certificates make their texts anew whenever they are asked for. */
export function readSharedPatch(patch: SharedPatch): Patch {
  const { octets, places, deletes } = patch.certificates
  const source = Buffer.from(octets)
  return { ...patch, certificates: { upserts: places.map(place => new SharedCertificate(source, place)), deletes } }
}

class SharedCertificate implements Certificate {
  readonly #octets: Buffer
  readonly #place: Place

  constructor(octets: Buffer, place: Place) {
    this.#octets = octets
    this.#place = place
  }

  get id(): CertificateId {
    return this.#place.id
  }

  get notAfter(): number {
    return this.#place.notAfter
  }

  get chain(): string {
    return this.#text(this.#place.start, this.#place.chainEnd)
  }

  get key(): string {
    return this.#text(this.#place.chainEnd, this.#place.keyEnd)
  }

  get fingerprint(): string {
    return this.#text(this.#place.keyEnd, this.#place.fingerprintEnd)
  }

  #text(start: number, end: number): string {
    return this.#octets.toString('utf8', start, end)
  }
}
