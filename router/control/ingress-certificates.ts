// Which certificate a host has that Ingresses serve: exact host, then wildcard of one label (ingress contract I-T2); of several
// Ingresses that name one that which has the path `/`, then the oldest (I-T5). Only those count that serve something there:
// otherwise anybody could have the certificate of anybody's host. And what is wrong with what they name. Where hosts belong to
// namespaces, the certificate of a wildcard is for hosts of its own namespace only.

import type { CertificateId } from '../model/certificate.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import type { HostMatch } from '../model/route.ts'
import { uncovered } from './app-book.ts'
import { certificateId } from './certificate.ts'
import type { CertificateBook } from './certificate-book.ts'
import { Claims, claimKey } from './claims.ts'
import type { HostTitles } from './host-titles.ts'
import type { HostCertificate } from './ingress.ts'
import { refKey } from './object-shape.ts'
import type { SecretRef } from './service.ts'

/** What an Ingress names, by key of the host. */
export type NamedCertificates = ReadonlyMap<string, HostCertificate>

/** A host of which an Ingress serves something; `isRoot`: the path `/`, so that the host is its own more than anybody's. */
export interface ServedHost {
  readonly host: HostMatch
  readonly isRoot: boolean
}

/** What an Ingress names, and where it serves something. */
interface Entries {
  readonly named: NamedCertificates
  readonly served: readonly ServedHost[]
}

/** Whose certificate is served for a host instead. */
interface Other {
  readonly host: string
  readonly owner: ObjectRef
  readonly id: CertificateId
}

const none: NamedCertificates = new Map()
const nothing: Entries = { named: none, served: [] }

export class IngressCertificates {
  readonly #certificates: CertificateBook
  readonly #titles: HostTitles
  readonly #entries = new Map<string, Entries>()
  /** Who names a certificate for a host, and serves something there: things as of `claimsOf`; rank: who has `/`, then age. */
  readonly #claims = new Claims()

  constructor(certificates: CertificateBook, titles: HostTitles) {
    this.#certificates = certificates
    this.#titles = titles
  }

  /**
   * Makes `named` all that the Ingress names, and `served` the hosts of which it serves something: for others what it
   * names does not count. Returns the topics, as of `topics`, whose certificate may be another one now.
   */
  replace(
    ref: ObjectRef,
    created: string,
    named: NamedCertificates,
    served: readonly ServedHost[],
  ): ReadonlySet<string> {
    const key = refKey(ref)
    const before = this.#entries.get(key)?.named ?? none
    if (named.size > 0) this.#entries.set(key, { named, served })
    else this.#entries.delete(key)
    const claims = new Map<string, string>()
    const renamed: string[] = []
    for (const { host, isRoot } of served) {
      for (const { entry, thing } of this.#claimsOf(host, ref)) {
        const certificate = named.get(entry)
        if (certificate === undefined) continue
        const rank = `${isRoot ? 'root' : 'some'} ${created}`
        const best = claims.get(thing)
        claims.set(thing, best === undefined || rank < best ? rank : best)
        const last = before.get(entry)?.secret
        if (last !== undefined && idOf(last) !== idOf(certificate.secret)) renamed.push(thing)
      }
    }
    const moved = new Set(this.#claims.replace(ref, claims))
    // The owner may be who it was, but what it names may not be.
    for (const thing of renamed) {
      const owner = this.#claims.owner(thing)
      if (owner !== null && refKey(owner) === key) moved.add(thing)
    }
    return moved
  }

  /** The Secret with the certificate of `host`, of which `ref` serves something; null: the default one is for it. */
  secretFor(host: HostMatch, ref: ObjectRef): SecretRef | null {
    for (const { entry, thing } of this.#claimsOf(host, ref)) {
      const owner = this.#claims.owner(thing)
      const certificate = owner === null ? undefined : this.#entries.get(refKey(owner))?.named.get(entry)
      if (certificate !== undefined) return certificate.secret
    }
    return null
  }

  /** What is wrong with what the Ingress names. Of a Secret that no route uses nothing is known. */
  problems(object: ObjectRef): readonly Problem[] {
    const { named, served } = this.#entries.get(refKey(object)) ?? nothing
    const problems: Problem[] = []
    const others = this.#others(object, served)
    const absent = new Set<CertificateId>()
    const live = new Set(served.flatMap(({ host }) => certificateHosts(host)))
    for (const [entry, { host, secret }] of named) {
      const id = idOf(secret)
      const other = others.get(entry)
      if (!live.has(entry)) problems.push(unserved(object, entry))
      else if (other !== undefined) {
        if (other.id !== id) problems.push(notOldest(object, other.host, other.owner))
      } else if (this.#certificates.isUsed(id) && this.#certificates.isAbsent(id)) {
        if (!absent.has(id)) problems.push(missing(object, id))
        absent.add(id)
      } else if (this.#certificates.isUsed(id) && !this.#certificates.covers(id, host)) {
        problems.push(uncovered(object, id, entry))
      }
    }
    return problems
  }

  /** What the certificate of `host` depends on, where `ref` asks for something of it. */
  topics(host: HostMatch, ref: ObjectRef): readonly string[] {
    return this.#claimsOf(host, ref).map(({ thing }) => thing)
  }

  #claimsOf(host: HostMatch, { namespace }: ObjectRef): readonly Claim[] {
    return claimsOf(host, this.#titles.realm(namespace))
  }

  /** By entry: the first of the hosts served where that of another Ingress goes before it. */
  #others(object: ObjectRef, served: readonly ServedHost[]): ReadonlyMap<string, Other> {
    const others = new Map<string, Other>()
    for (const { host } of served) {
      for (const { entry, thing, isOwn } of this.#claimsOf(host, object)) {
        const owner = isOwn && !others.has(entry) ? this.#claims.owner(thing) : null
        if (owner === null || refKey(owner) === refKey(object)) continue
        const certificate = this.#entries.get(refKey(owner))?.named.get(entry)
        if (certificate !== undefined) others.set(entry, { host: claimKey(host), owner, id: idOf(certificate.secret) })
      }
    }
    return others
  }
}

interface Claim {
  /** Key of the host that a certificate is named for. */
  readonly entry: string
  readonly thing: string
  /** Whether only those can have it that serve the host itself. */
  readonly isOwn: boolean
}

/**
 * What there is to be had for `host`, the first first: a certificate for exactly this host, that of a wildcard for those
 * who serve the host itself, and that of a wildcard for those who serve any host below it. Whoever may add a host of their
 * own below a wildcard does not get at the hosts of others by that.
 */
function claimsOf(host: HostMatch, realm: string): readonly Claim[] {
  const own = claimKey(host)
  return certificateHosts(host).flatMap(entry => {
    const exact = { entry, thing: `${entry} ${own}`, isOwn: true }
    const shared = { entry, thing: realm === '' ? entry : `${entry} @${realm}`, isOwn: false }
    return entry === own && !entry.startsWith('*') ? [exact] : [exact, shared]
  })
}

/** Keys of the hosts whose certificate is for `host`, the first first. */
function certificateHosts(host: HostMatch): readonly string[] {
  if (host.kind === 'default') return []
  const key = claimKey(host)
  const dot = host.kind === 'exact' ? key.indexOf('.') : -1
  return dot < 0 ? [key] : [key, `*${key.slice(dot)}`]
}

function idOf({ namespace, name }: SecretRef): CertificateId {
  return certificateId(namespace, name)
}

function notOldest(object: ObjectRef, host: string, { namespace, name }: ObjectRef): Problem {
  const message = `the certificate of ${host} is that of Ingress ${namespace}/${name}, which has its path / or is older`
  return { code: 'host-conflict', severity: 'warning', object, message }
}

function unserved(object: ObjectRef, host: string): Problem {
  const message = `spec.tls names a certificate for ${host}, where this Ingress serves nothing: it does not count`
  return { code: 'certificate-invalid', severity: 'warning', object, message }
}

function missing(object: ObjectRef, id: CertificateId): Problem {
  const message = `Secret ${id}, which spec.tls asks for, does not exist: the default certificate is served instead`
  return { code: 'certificate-missing', severity: 'warning', object, message }
}
