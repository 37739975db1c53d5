// The certificates that routes use: which Secrets that takes, for whom, what is in them, and what of it is sent to the
// data threads. A Secret that nobody uses is neither asked for nor kept.

import type { Secret } from '#kube/types.ts'
import type { Change } from '#kube/watch.ts'
import type { Certificate, CertificateId } from '../model/certificate.ts'
import type { Delta } from '../model/patch.ts'
import type { HostMatch } from '../model/route.ts'
import { certificateId } from './certificate.ts'
import { CertificateShelf } from './certificate-shelf.ts'
import { Ledger } from './ledger.ts'
import type { ProblemBook } from './problem-book.ts'
import { SecretUsers } from './secret-users.ts'
import type { SecretRef } from './service.ts'

/** Milliseconds that one step may spend on checking pairs: others wait for the thread meanwhile. */
const readingBudget = 40

export interface CertificateBookOptions {
  /** Wanted with or without users. */
  readonly permanent: SecretRef
  readonly problems: ProblemBook
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export class CertificateBook {
  readonly #now: () => number
  readonly #problems: ProblemBook
  readonly #shelf = new CertificateShelf()
  readonly #users: SecretUsers
  readonly #touched = new Set<CertificateId>()
  /** Those that came into use or went out of it. */
  #turned = new Set<CertificateId>()
  readonly #ledger = new Ledger<CertificateId, Certificate>()

  constructor({ permanent, problems, now }: CertificateBookOptions) {
    this.#now = now
    this.#problems = problems
    this.#users = new SecretUsers(certificateId(permanent.namespace, permanent.name), permanent)
  }

  deliver(namespace: string, name: string, change: Change<Secret>): void {
    this.#shelf.deliver(namespace, name, change)
  }

  /** Whether there is more to `read`. */
  get unfinished(): boolean {
    return this.#shelf.unfinished
  }

  /** Reads some of what was delivered. Returns the certificates that came, went, or were heard of for the first time. */
  read(): readonly CertificateId[] {
    const changes = this.#shelf.read(readingBudget)
    for (const { id } of changes) this.#touched.add(id)
    return changes.filter(({ turned }) => turned).map(({ id }) => id)
  }

  /** `unknown`: nobody has told yet what its Secret holds. */
  standing(id: CertificateId): 'usable' | 'unusable' | 'unknown' {
    if (this.#shelf.certificate(id) !== null) return 'usable'
    return this.#shelf.isKnown(id) ? 'unusable' : 'unknown'
  }

  /** Whether its Secret is known not to exist. */
  isAbsent(id: CertificateId): boolean {
    return this.#shelf.isAbsent(id)
  }

  /**
   * Whether the certificate is for the names of `host`: false only if it is usable and is not. A wildcard of any depth
   * counts as covered when its first level is.
   */
  covers(id: CertificateId, host: HostMatch): boolean {
    if (this.#shelf.certificate(id) === null) return true
    const names = this.#shelf.names(id)
    if (host.kind === 'wildcard') return names.includes(`*.${host.suffix}`)
    if (host.kind !== 'exact') return true
    return names.includes(host.host) || names.includes(`*${host.host.slice(host.host.indexOf('.'))}`)
  }

  use(id: CertificateId, secret: SecretRef, user: string): void {
    if (!this.#users.isWanted(id)) this.#turned.add(id)
    this.#users.add(id, secret, user)
    this.#touched.add(id)
  }

  unuse(id: CertificateId, user: string): void {
    this.#users.remove(id, user)
    if (!this.#users.isWanted(id)) this.#turned.add(id)
    this.#touched.add(id)
  }

  isUsed(id: CertificateId): boolean {
    return this.#users.isWanted(id)
  }

  /** The certificates that came into use or went out of it since the last call. */
  takeTurned(): Iterable<CertificateId> {
    const turned = this.#turned
    this.#turned = new Set()
    return turned
  }

  users(id: CertificateId): Iterable<string> {
    return this.#users.of(id)
  }

  /** The Secrets to watch, by `NAMESPACE/NAME`; the same Map as before when nothing changed. */
  wanted(): ReadonlyMap<string, SecretRef> {
    return this.#users.wanted()
  }

  /** Forgets what has no users any more; call it when all `use` and `unuse` of a step are done. */
  settle(): void {
    for (const id of this.#touched) {
      if (!this.#users.isWanted(id)) this.#shelf.forget(id)
      const certificate = this.#shelf.certificate(id)
      if (certificate === null) this.#ledger.drop(id)
      else this.#ledger.put(certificate)
      this.#note(id)
    }
    this.#touched.clear()
    this.noteExpired()
  }

  /** Certificates expire without anybody telling. */
  noteExpired(): void {
    for (const id of this.#shelf.expired(this.#now())) this.#note(id)
  }

  flush(): Delta<Certificate, CertificateId> {
    return this.#ledger.flush()
  }

  whole(): Delta<Certificate, CertificateId> {
    return this.#ledger.whole()
  }

  #note(id: CertificateId): void {
    this.#problems.set(`Secret ${id}`, this.#shelf.problems(id, this.#now()))
  }
}
