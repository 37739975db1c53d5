// The Secret `deis-router-dhparam` (contract sections 1 and 16): parameters for key exchange with old clients.

import type { Secret } from '#kube/types.ts'
import type { Change } from '#kube/watch.ts'
import { dhBits, leastDhBits } from '../model/dh-parameters.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import type { SecretRef } from './service.ts'

const key = 'dhparam'

export function dhParametersSecret(routerNamespace: string): SecretRef {
  return { namespace: routerNamespace, name: 'deis-router-dhparam' }
}

export class DhParameters {
  readonly #ref: ObjectRef
  #text: string | null = null

  constructor(secret: SecretRef) {
    this.#ref = { kind: 'Secret', ...secret }
  }

  apply(change: Change<Secret>): void {
    if (change.kind === 'delete') this.#text = null
    else this.#text = textOf(change.kind === 'reset' ? change.objects[0] : change.object)
  }

  /** PEM; null: there are none that may be used, and the TLS library chooses. */
  get usable(): string | null {
    return this.#fault() === null ? this.#text : null
  }

  problems(): readonly Problem[] {
    const fault = this.#text === null ? null : this.#fault()
    if (fault === null) return []
    const message = `its ${key} ${fault}: the TLS library chooses parameters`
    return [{ code: 'invalid-object', severity: 'warning', object: this.#ref, message }]
  }

  #fault(): string | null {
    const bits = this.#text === null ? null : dhBits(this.#text)
    if (bits === null) return 'holds no PEM of DH PARAMETERS'
    return bits < leastDhBits ? `has ${bits} bits, fewer than ${leastDhBits}` : null
  }
}

/** Null: the key is missing or no text. A Secret without it counts as absent. */
function textOf(secret: Secret | undefined): string | null {
  const plain: unknown = secret?.stringData?.[key]
  if (typeof plain === 'string') return plain
  const encoded: unknown = secret?.data?.[key]
  return typeof encoded === 'string' ? Buffer.from(encoded, 'base64').toString('latin1') : null
}
