// The certificates at hand: what each Secret that was asked for held last. A changed Secret that is broken leaves the
// last good pair where it was (contract section 8); a deleted one takes it away. Checking a pair takes 0.1 to 0.5 ms,
// and thousands may come at once, so that one reading takes no longer than its budget.

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
  /** The DNS names that it is for. */
  readonly names: readonly string[]
  readonly fault: Problem | null
}

export interface ShelfChange {
  readonly id: CertificateId
  /** Whether it came to exist, to be usable, ceased to, or is for other names: what depends on it may look different. */
  readonly turned: boolean
}

const absent = Symbol('absent')

export class CertificateShelf {
  readonly #places = new Map<CertificateId, Place>()
  readonly #delivered = new Map<CertificateId, { readonly ref: ObjectRef; readonly secret: unknown }>()
  readonly #clock: () => number
  #nextExpiry = Number.POSITIVE_INFINITY

  /** `clock` gives milliseconds, only compared with each other. */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock
  }

  /** Whether something delivered has not been read yet. */
  get unfinished(): boolean {
    return this.#delivered.size > 0
  }

  /** Notes what `change` says about one Secret; `read` looks at it. */
  deliver(namespace: string, name: string, change: Change<Secret>): void {
    const ref = { kind: 'Secret', namespace, name }
    const last = change.kind === 'reset' ? change.objects.at(-1) : change.object
    const gone = change.kind === 'delete' || (change.kind === 'reset' && change.objects.length === 0)
    this.#delivered.set(certificateId(namespace, name), { ref, secret: gone ? absent : last })
  }

  /** Reads what has been delivered, as much of it as `budget` milliseconds allow, and one at least. */
  read(budget: number): readonly ShelfChange[] {
    const changes: ShelfChange[] = []
    const end = this.#clock() + budget
    for (const [id, { ref, secret }] of this.#delivered) {
      if (changes.length > 0 && this.#clock() >= end) break
      this.#delivered.delete(id)
      const before = this.#places.get(id)
      const place = this.#place(ref, secret, before ?? null)
      this.#places.set(id, place)
      if (place.certificate !== null) this.#nextExpiry = Math.min(this.#nextExpiry, place.certificate.notAfter)
      const turned =
        (before?.certificate ?? null) === null
          ? place.certificate !== null || before?.absent !== place.absent
          : place.certificate === null || !isSameSet(place.names, before!.names)
      changes.push({ id, turned })
    }
    return changes
  }

  certificate(id: CertificateId): Certificate | null {
    return this.#places.get(id)?.certificate ?? null
  }

  /** Whether it has been read: nothing else can tell what there is. */
  isKnown(id: CertificateId): boolean {
    return this.#places.has(id)
  }

  /** The DNS names that the certificate is for, lower case; empty when there is none. */
  names(id: CertificateId): readonly string[] {
    return this.#places.get(id)?.names ?? noNames
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
    this.#delivered.delete(id)
  }

  #place(ref: ObjectRef, secret: unknown, before: Place | null): Place {
    const nothing = { ref, certificate: null, names: noNames, fault: null }
    if (secret === absent) return { ...nothing, absent: true }
    const last = before?.certificate ?? null
    const reading = readCertificate(ref, secret, last)
    if (reading.kind === 'whole') {
      const { certificate, names } = reading
      return { ref, absent: false, certificate, names: names ?? before!.names, fault: null }
    }
    const { problem } = reading
    if (before === null || last === null) return { ...nothing, absent: false, fault: problem }
    const message = `${problem.message}; the last good pair stays in use`
    return { ...before, absent: false, fault: { ...problem, message } }
  }
}

const noNames: readonly string[] = []

/** Of lists that have each name once. */
function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && new Set(a).isSubsetOf(new Set(b)))
}
