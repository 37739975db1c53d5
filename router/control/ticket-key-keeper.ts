// What the leader does for session tickets: the first key, and a follower for each in time, in the Secret that all replicas
// read. It never creates the Secret, for no name narrows that right down: the chart does. What goes wrong costs
// nothing but that replicas do not know each other's tickets in the end, and is said once.

import { type Clock, systemClock } from '#kit/clock.ts'
import type { Logger } from '#kit/log.ts'
import { type KubeClient, resourcePath } from '#kube/client.ts'
import { KubeError } from '#kube/errors.ts'
import type { Secret } from '#kube/types.ts'
import type { SecretRef } from './service.ts'
import { nextTicketKeys, readTicketKeys, type TicketKey, ticketKeyData } from './ticket-key-list.ts'

/** Milliseconds between two looks at whether a follower is due. */
const interval = 60_000

export interface TicketKeyKeeperOptions {
  readonly client: Pick<KubeClient, 'get' | 'update'>
  readonly secret: SecretRef
  /** What the watch has told of; empty: nothing yet. */
  readonly known: () => readonly TicketKey[]
  /** How long a key makes tickets, milliseconds. */
  readonly life: () => number
  readonly log: Logger
  readonly clock?: Clock
}

export class TicketKeyKeeper {
  readonly #options: TicketKeyKeeperOptions
  readonly #clock: Clock
  readonly #path: string
  #complaint = ''

  constructor(options: TicketKeyKeeperOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#path = resourcePath({ apiVersion: 'v1', plural: 'secrets', ...options.secret })
  }

  /** Until `term` aborts. Never rejects. */
  async run(term: AbortSignal): Promise<void> {
    while (!term.aborted) {
      try {
        await this.#tend(term)
      } catch (error) {
        if (!term.aborted) this.#failed(error)
      }
      await this.#clock.delay(interval, term)
    }
  }

  async #tend(signal: AbortSignal): Promise<void> {
    const { client, known, life } = this.#options
    const now = this.#clock.wallClock()
    if (nextTicketKeys(known(), now, life()) === null) return
    // Only the Secret itself tells whether somebody was faster.
    const secret = await client.get<Secret>(this.#path, { signal })
    const data = secret.data ?? {}
    const { keys } = readTicketKeys(data)
    // What somebody else wrote is theirs; a Problem tells of it.
    if (keys.length === 0 && Object.keys(data).length > 0) return
    const next = nextTicketKeys(keys, now, life())
    if (next === null) return
    await client.update<Secret>(this.#path, { ...secret, data: ticketKeyData(next) }, { signal })
    this.#complaint = ''
    this.#options.log.info({ secret: this.#name }, 'new keys of session tickets')
  }

  get #name(): string {
    const { namespace, name } = this.#options.secret
    return `${namespace}/${name}`
  }

  #failed(error: unknown): void {
    const status = error instanceof KubeError ? error.status : 0
    // Somebody was faster: the next look is soon enough.
    if (status === 409) return
    const advice = adviceFor(status)
    if (advice === this.#complaint) return
    this.#complaint = advice
    const reason = error instanceof Error ? error.message : String(error)
    this.#options.log.warn({ secret: this.#name, reason }, advice)
  }
}

function adviceFor(status: number): string {
  const consequence = 'no replica knows the session tickets of another'
  if (status === 404)
    return `there is no Secret for keys of session tickets: create it empty or run helm upgrade, else ${consequence}`
  if (status === 403)
    return `we may not write keys of session tickets: a Role must allow get and update of the Secret, else ${consequence}`
  return `keys of session tickets cannot be written now; until they can, ${consequence}`
}
