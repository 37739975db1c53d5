// Which Secrets the router needs, and for whom: none is read that nobody's route depends on.

import { added, type Few, membersOf, removed } from '#kit/few.ts'
import type { CertificateId } from '../model/certificate.ts'
import type { SecretRef } from './service.ts'

export class SecretUsers {
  readonly #permanent: CertificateId
  readonly #users = new Map<CertificateId, Few>()
  readonly #wanted = new Map<CertificateId, SecretRef>()
  #shown: ReadonlyMap<string, SecretRef> | null = null

  /** `permanent` is wanted with or without users. */
  constructor(permanent: CertificateId, secret: SecretRef) {
    this.#permanent = permanent
    this.#wanted.set(permanent, secret)
  }

  add(id: CertificateId, secret: SecretRef, user: string): void {
    this.#users.set(id, added(this.#users.get(id), user))
    if (this.#wanted.has(id)) return
    this.#wanted.set(id, secret)
    this.#shown = null
  }

  remove(id: CertificateId, user: string): void {
    if (!this.#users.has(id)) return
    const users = removed(this.#users.get(id), user)
    if (users !== undefined) {
      this.#users.set(id, users)
      return
    }
    this.#users.delete(id)
    if (id === this.#permanent) return
    this.#wanted.delete(id)
    this.#shown = null
  }

  of(id: CertificateId): Iterable<string> {
    return membersOf(this.#users.get(id))
  }

  isWanted(id: CertificateId): boolean {
    return this.#wanted.has(id)
  }

  /** By `NAMESPACE/NAME`. The same Map as before when nothing changed. */
  wanted(): ReadonlyMap<string, SecretRef> {
    this.#shown ??= new Map(this.#wanted)
    return this.#shown
  }
}
