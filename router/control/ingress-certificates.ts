// Which certificate a host has that Ingresses serve: exact host, then wildcard of one label (ingress contract I-T2); of several
// Ingresses that name one the oldest (I-T5). And what is wrong with what they name.

import type { CertificateId } from '../model/certificate.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import type { HostMatch } from '../model/route.ts'
import { uncovered } from './app-book.ts'
import { certificateId } from './certificate.ts'
import type { CertificateBook } from './certificate-book.ts'
import { Claims, hostKey } from './claims.ts'
import type { HostCertificate } from './ingress.ts'
import { refKey } from './object-shape.ts'
import type { SecretRef } from './service.ts'

/** What an Ingress names, by key of the host. */
export type NamedCertificates = ReadonlyMap<string, HostCertificate>

const none: NamedCertificates = new Map()

export class IngressCertificates {
  readonly #certificates: CertificateBook
  readonly #named = new Map<string, NamedCertificates>()
  /** By key of the host; rank: age. */
  readonly #claims = new Claims()

  constructor(certificates: CertificateBook) {
    this.#certificates = certificates
  }

  /** Makes `named` all that the Ingress names. Returns the keys of the hosts whose certificate may be another one now. */
  replace(ref: ObjectRef, created: string, named: NamedCertificates): ReadonlySet<string> {
    const key = refKey(ref)
    const before = this.#named.get(key) ?? none
    if (named.size > 0) this.#named.set(key, named)
    else this.#named.delete(key)
    const claims = new Map(named.keys().map(host => [host, created] as const))
    const moved = new Set(this.#claims.replace(ref, claims))
    // The owner is who it was, but what it names may not be.
    for (const [host, { secret }] of named) {
      const last = before.get(host)?.secret
      if (last?.namespace !== secret.namespace || last.name !== secret.name) moved.add(host)
    }
    return moved
  }

  /** The Secret with the certificate of `host`; null: the default certificate is for it. */
  secretFor(host: HostMatch): SecretRef | null {
    for (const key of certificateHosts(host)) {
      const certificate = this.#ownerOf(key)
      if (certificate !== null) return certificate.secret
    }
    return null
  }

  /** What is wrong with what the Ingress names. Of a Secret that no route uses nothing is known. */
  problems(object: ObjectRef): readonly Problem[] {
    const problems: Problem[] = []
    const absent = new Set<CertificateId>()
    for (const [host, own] of this.#named.get(refKey(object)) ?? none) {
      const owner = this.#claims.owner(host)
      const id = idOf(own.secret)
      if (owner !== null && refKey(owner) !== refKey(object)) {
        const other = this.#ownerOf(host)
        if (other !== null && idOf(other.secret) !== id) problems.push(notOldest(object, host, owner))
      } else if (this.#certificates.isUsed(id) && this.#certificates.isAbsent(id)) {
        if (!absent.has(id)) problems.push(missing(object, id))
        absent.add(id)
      } else if (this.#certificates.isUsed(id) && !this.#certificates.covers(id, own.host)) {
        problems.push(uncovered(object, id, host))
      }
    }
    return problems
  }

  #ownerOf(host: string): HostCertificate | null {
    const owner = this.#claims.owner(host)
    return owner === null ? null : (this.#named.get(refKey(owner))?.get(host) ?? null)
  }
}

/** Keys of the hosts whose certificate is for `host`, the first first. */
export function certificateHosts(host: HostMatch): readonly string[] {
  if (host.kind === 'default') return []
  const key = hostKey(host)
  const dot = host.kind === 'exact' ? key.indexOf('.') : -1
  return dot < 0 ? [key] : [key, `*${key.slice(dot)}`]
}

function idOf({ namespace, name }: SecretRef): CertificateId {
  return certificateId(namespace, name)
}

function notOldest(object: ObjectRef, host: string, { namespace, name }: ObjectRef): Problem {
  const message = `the certificate of ${host} is that of Ingress ${namespace}/${name}, which is older`
  return { code: 'host-conflict', severity: 'warning', object, message }
}

function missing(object: ObjectRef, id: CertificateId): Problem {
  const message = `Secret ${id}, which spec.tls asks for, does not exist: the default certificate is served instead`
  return { code: 'certificate-missing', severity: 'warning', object, message }
}
