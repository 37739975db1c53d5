// The authorities of client certificates that routes use: which Secrets that takes, for whom, and what of them is sent to
// the data threads. Nothing of a Secret outlives it here: one that is deleted or broken lets nobody in.

import type { Secret } from '#kube/types.ts'
import type { Change } from '#kube/watch.ts'
import type { Authorities, AuthoritiesId } from '../model/authorities.ts'
import type { Delta } from '../model/patch.ts'
import type { Problem } from '../model/problem.ts'
import { readAuthorities } from './authorities.ts'
import { Ledger } from './ledger.ts'
import { refOfKey } from './object-shape.ts'
import type { ProblemBook } from './problem-book.ts'
import type { SecretRef } from './service.ts'

type Fault = Pick<Problem, 'code'> & { readonly reason: string }

interface Place {
  readonly secret: SecretRef
  /** Keys of the objects whose routes need it. */
  readonly users: Set<string>
  /** Null: there are none that can be used, or nobody has told yet. */
  authorities: Authorities | null
  fault: Fault | null
}

export class AuthorityBook {
  readonly #problems: ProblemBook
  /** By `NAMESPACE/NAME`. */
  readonly #places = new Map<string, Place>()
  /** What has been told and not been read; null: the Secret does not exist. */
  readonly #delivered = new Map<string, Secret | null>()
  readonly #ledger = new Ledger<AuthoritiesId, Authorities>()
  /** How many Secrets hold them. */
  readonly #holders = new Map<AuthoritiesId, number>()
  /** Whose Problems may be others now. */
  readonly #touched = new Set<string>()
  #wanted: ReadonlyMap<string, SecretRef> | null = null

  constructor(problems: ProblemBook) {
    this.#problems = problems
  }

  deliver(namespace: string, name: string, change: Change<Secret>): void {
    const last = change.kind === 'reset' ? change.objects.at(-1) : change.object
    this.#delivered.set(`${namespace}/${name}`, change.kind === 'delete' ? null : (last ?? null))
  }

  /** Reads what was delivered for Secrets that are used. Returns who uses authorities that are other ones now. */
  read(): ReadonlySet<string> {
    const concerned = new Set<string>()
    for (const [path, secret] of this.#delivered) {
      const place = this.#places.get(path)
      if (place === undefined) continue
      const before = place.authorities?.id
      this.#fill(place, secret)
      for (const user of place.users) {
        this.#touched.add(user)
        if (place.authorities?.id !== before) concerned.add(user)
      }
    }
    this.#delivered.clear()
    return concerned
  }

  /** Who signs, by the Secret; null: nobody gets in. */
  authorities({ namespace, name }: SecretRef): AuthoritiesId | null {
    return this.#places.get(`${namespace}/${name}`)?.authorities?.id ?? null
  }

  use(secret: SecretRef, user: string): void {
    const path = pathOf(secret)
    let place = this.#places.get(path)
    if (place === undefined) {
      place = { secret, users: new Set(), authorities: null, fault: null }
      this.#places.set(path, place)
      this.#wanted = null
    }
    place.users.add(user)
    this.#touched.add(user)
  }

  unuse(secret: SecretRef, user: string): void {
    const path = pathOf(secret)
    const place = this.#places.get(path)
    if (place === undefined) return
    place.users.delete(user)
    this.#touched.add(user)
    if (place.users.size > 0) return
    this.#hold(place, null)
    this.#places.delete(path)
    this.#wanted = null
  }

  /**
   * The Secrets to watch. Not by their names alone, for somebody may watch one of them for its certificate already, and
   * would not be told of it again. The same Map as before when nothing changed.
   */
  wanted(): ReadonlyMap<string, SecretRef> {
    this.#wanted ??= new Map(Array.from(this.#places, ([path, { secret }]) => [`${path} (authorities)`, secret]))
    return this.#wanted
  }

  /** Finds the Problems; call it when all `use` and `unuse` of a step are done. */
  settle(): void {
    for (const user of this.#touched) {
      const problems: Problem[] = []
      for (const { secret, users, fault } of this.#places.values())
        if (fault !== null && users.has(user)) problems.push(problemOf(user, secret, fault))
      this.#problems.set(`authorities of ${user}`, problems)
    }
    this.#touched.clear()
  }

  flush(): Delta<Authorities, AuthoritiesId> {
    return this.#ledger.flush()
  }

  whole(): Delta<Authorities, AuthoritiesId> {
    return this.#ledger.whole()
  }

  #fill(place: Place, secret: Secret | null): void {
    place.fault = null
    if (secret === null) {
      place.fault = { code: 'authorities-missing', reason: 'does not exist' }
      this.#hold(place, null)
      return
    }
    const reading = readAuthorities(secret)
    if (reading.kind === 'broken')
      place.fault = { code: 'authorities-invalid', reason: `cannot be used: ${reading.reason}` }
    this.#hold(place, reading.kind === 'whole' ? reading.authorities : null)
  }

  #hold(place: Place, next: Authorities | null): void {
    const last = place.authorities
    place.authorities = next
    if (next !== null) {
      this.#holders.set(next.id, (this.#holders.get(next.id) ?? 0) + 1)
      this.#ledger.put(next)
    }
    if (last === null) return
    const left = this.#holders.get(last.id)! - 1
    if (left > 0) this.#holders.set(last.id, left)
    else {
      this.#holders.delete(last.id)
      this.#ledger.drop(last.id)
    }
  }
}

function pathOf({ namespace, name }: SecretRef): string {
  return `${namespace}/${name}`
}

function problemOf(user: string, secret: SecretRef, { code, reason }: Fault): Problem {
  const message = `Secret ${pathOf(secret)}, which router.deis.io/clientCertificates.secret names, ${reason}; nobody gets in`
  return { code, severity: 'error', object: refOfKey(user), message }
}
