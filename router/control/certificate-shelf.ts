// The certificates at hand: what each Secret that was asked for held last. A changed Secret that is broken leaves the
// last good pair where it was (contract section 8); a deleted one takes it away.

import type { Secret } from '#kube/types.ts'
import type { Change } from '#kube/watch.ts'
import type { Certificate, CertificateId } from '../model/certificate.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import { certificateId, expiryProblem, readCertificate } from './certificate.ts'

interface Place {
  readonly ref: ObjectRef
  /** The Secret does not exist. */
  readonly absent: boolean
  readonly certificate: Certificate | null
  readonly fault: Problem | null
}

export interface ShelfChange {
  readonly id: CertificateId
  /** Whether it came to exist, to be usable, or ceased to: routes depend on that, not on a renewal. */
  readonly turned: boolean
}

const absent = Symbol('absent')

export class CertificateShelf {
  readonly #places = new Map<CertificateId, Place>()
  readonly #delivered = new Map<CertificateId, { readonly ref: ObjectRef; readonly secret: unknown }>()
  #nextExpiry = Number.POSITIVE_INFINITY

  /** Notes what `change` says about one Secret; `read` looks at it. */
  deliver(namespace: string, name: string, change: Change<Secret>): void {
    const ref = { kind: 'Secret', namespace, name }
    const last = change.kind === 'reset' ? change.objects.at(-1) : change.object
    const gone = change.kind === 'delete' || (change.kind === 'reset' && change.objects.length === 0)
    this.#delivered.set(certificateId(namespace, name), { ref, secret: gone ? absent : last })
  }

  /** Reads what has been delivered since the last call. */
  read(): readonly ShelfChange[] {
    const changes: ShelfChange[] = []
    for (const [id, { ref, secret }] of this.#delivered) {
      const before = this.#places.get(id)
      const place = this.#place(ref, secret, before?.certificate ?? null)
      this.#places.set(id, place)
      if (place.certificate !== null) this.#nextExpiry = Math.min(this.#nextExpiry, place.certificate.notAfter)
      const turned =
        (before?.certificate ?? null) === null
          ? place.certificate !== null || before?.absent !== place.absent
          : place.certificate === null
      changes.push({ id, turned })
    }
    this.#delivered.clear()
    return changes
  }

  certificate(id: CertificateId): Certificate | null {
    return this.#places.get(id)?.certificate ?? null
  }

  /** Whether the Secret is known not to exist: false while nothing has been delivered for it. */
  isAbsent(id: CertificateId): boolean {
    return this.#places.get(id)?.absent ?? false
  }

  problems(id: CertificateId, now: number): readonly Problem[] {
    const place = this.#places.get(id)
    if (place === undefined) return []
    const expired = place.certificate === null ? null : expiryProblem(place.ref, place.certificate, now)
    return [place.fault, expired].filter(problem => problem !== null)
  }

  /** The certificates that expired since the last call, at times up to `now`. */
  expired(now: number): readonly CertificateId[] {
    if (now <= this.#nextExpiry) return []
    const since = this.#nextExpiry
    this.#nextExpiry = Number.POSITIVE_INFINITY
    const found: CertificateId[] = []
    for (const [id, { certificate }] of this.#places) {
      if (certificate === null) continue
      if (certificate.notAfter >= now) this.#nextExpiry = Math.min(this.#nextExpiry, certificate.notAfter)
      else if (certificate.notAfter >= since) found.push(id)
    }
    return found
  }

  forget(id: CertificateId): void {
    this.#places.delete(id)
  }

  #place(ref: ObjectRef, secret: unknown, last: Certificate | null): Place {
    if (secret === absent) return { ref, absent: true, certificate: null, fault: null }
    const reading = readCertificate(ref, secret, last)
    if (reading.kind === 'whole') return { ref, absent: false, certificate: reading.certificate, fault: null }
    const { problem } = reading
    if (last === null) return { ref, absent: false, certificate: null, fault: problem }
    const message = `${problem.message}; the last good pair stays in use`
    return { ref, absent: false, certificate: last, fault: { ...problem, message } }
  }
}
