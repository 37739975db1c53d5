// The Secret `deis-router-ticket-keys`: keys of session tickets that all replicas share, made and followed up by the leader
// (`ticket-key-keeper.ts`). What cannot be read leaves the last good keys where they are, and so does its deletion: they end
// by their age (`ticket-keys.ts`).

import type { Secret } from '#kube/types.ts'
import type { Change } from '#kube/watch.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import type { SecretRef } from './service.ts'
import { readTicketKeys, type TicketKey } from './ticket-key-list.ts'

export function ticketKeysSecret(routerNamespace: string): SecretRef {
  return { namespace: routerNamespace, name: 'deis-router-ticket-keys' }
}

export class SharedTicketKeys {
  readonly #ref: ObjectRef
  #keys: readonly TicketKey[] = []
  #stored: readonly TicketKey[] = []
  #faults: readonly string[] = []

  constructor(secret: SecretRef) {
    this.#ref = { kind: 'Secret', ...secret }
  }

  apply(change: Change<Secret>): void {
    const secret = change.kind === 'delete' ? undefined : change.kind === 'reset' ? change.objects[0] : change.object
    const { keys, faults } = readTicketKeys(dataOf(secret))
    this.#stored = keys
    if (keys.length > 0) this.#keys = keys
    this.#faults = faults
  }

  /** Oldest first; empty: none yet. The same array as before while nothing else is said. */
  get keys(): readonly TicketKey[] {
    return this.#keys
  }

  /** What of them the Secret holds now; empty: nothing, and it is the leader's turn. */
  get stored(): readonly TicketKey[] {
    return this.#stored
  }

  problems(): readonly Problem[] {
    return this.#faults.map(fault => {
      const message = `the keys of session tickets: ${fault}; the last good ones stay in use, and without data in it new ones are made`
      return { code: 'invalid-object', severity: 'warning', object: this.#ref, message }
    })
  }
}

function dataOf(secret: Secret | undefined): Readonly<Record<string, unknown>> {
  const data: unknown = secret?.data
  return typeof data === 'object' && data !== null ? (data as Readonly<Record<string, unknown>>) : {}
}
