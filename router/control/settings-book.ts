// The router-wide settings: those of the object `deis-router`, with what Secrets add to them when it is usable: the
// platform certificate and the parameters of key exchange.

import { isDeepStrictEqual } from 'node:util'
import type { Deployment } from '#kube/types.ts'
import type { Change } from '#kube/watch.ts'
import type { CertificateId } from '../model/certificate.ts'
import type { ObjectRef } from '../model/problem.ts'
import type { RouterSettings } from '../model/settings.ts'
import { freezeDeep } from './freeze.ts'
import { ObjectSet } from './object-set.ts'
import { invalidObject, readAnnotations, refKey } from './object-shape.ts'
import type { ProblemBook } from './problem-book.ts'
import { readRouterSettings } from './router-settings.ts'

/** `platform`: nothing but what Secrets add is another one, which no translation depends on. */
export type SettingsChange = 'none' | 'platform' | 'all'

export class SettingsBook {
  readonly #ref: ObjectRef
  readonly #problems: ProblemBook
  readonly #objects: ObjectSet
  #settings: RouterSettings
  #isRead = false

  /** `ref`: the object that carries the settings; others are ignored. */
  constructor(ref: ObjectRef, problems: ProblemBook) {
    this.#ref = ref
    this.#problems = problems
    this.#objects = new ObjectSet(ref.kind)
    this.#settings = readRouterSettings({}, ref, null).settings
  }

  apply(change: Change<Deployment>): void {
    this.#objects.apply(change)
  }

  get hasNameless(): boolean {
    return this.#objects.hasNameless
  }

  /** As last read; the defaults before that. Frozen. */
  get settings(): RouterSettings {
    return this.#settings
  }

  /** What of the settings changed since the last call; all of it the first time. */
  read(platformCertificate: CertificateId | null, dhParameters: string | null): SettingsChange {
    const key = refKey(this.#ref)
    const isDirty = this.#objects.takeDirty().has(key)
    const last = this.#settings
    const isFirst = !this.#isRead
    const isSameSecrets = last.platformCertificate === platformCertificate && last.tls.dhParameters === dhParameters
    if (!isFirst && !isDirty && isSameSecrets) return 'none'
    this.#isRead = true
    const { annotations, faults } = readAnnotations(this.#objects.get(key)?.object)
    const { settings: annotated, problems } = readRouterSettings(annotations, this.#ref, platformCertificate)
    const settings = withSecrets(annotated, platformCertificate, dhParameters)
    this.#problems.set(key, [...faults.map(fault => invalidObject(this.#ref, fault)), ...problems])
    const isSame = isDeepStrictEqual(settings, last)
    if (isSame && !isFirst) return 'none'
    this.#settings = settings
    if (isFirst) return 'all'
    const before = withSecrets(settings, last.platformCertificate, last.tls.dhParameters)
    return isDeepStrictEqual(before, last) ? 'platform' : 'all'
  }
}

function withSecrets(
  settings: RouterSettings,
  platformCertificate: CertificateId | null,
  dhParameters: string | null,
): RouterSettings {
  return freezeDeep({ ...settings, platformCertificate, tls: { ...settings.tls, dhParameters } })
}
