// What one replica does for all, and who that is: one holds the Lease `deis-router-leader`, writes the status of
// Ingress objects, reports Problems as Events, and makes the keys of session tickets. Traffic does not depend on it.

import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { Clock } from '#kit/clock.ts'
import type { Logger } from '#kit/log.ts'
import type { KubeClient } from '#kube/client.ts'
import { KubeError } from '#kube/errors.ts'
import { LeaderElection } from '#kube/lease.ts'
import type { Service } from '#kube/types.ts'
import type { Problem } from '../model/problem.ts'
import { EventRecorder } from './event-recorder.ts'
import { addressesToPublish, type PublishAddress } from './published-status.ts'
import { ticketKeysSecret } from './shared-ticket-keys.ts'
import { StatusPublisher, type StatusWorld } from './status-publisher.ts'
import { TicketKeyKeeper } from './ticket-key-keeper.ts'
import type { TicketKey } from './ticket-key-list.ts'

const leaseName = 'deis-router-leader'

export interface LeadershipOptions {
  /** Taken over: stopping closes it. Its own, so that no long list delays a renewal. */
  readonly client: KubeClient
  /** The router's own: where the Lease is. */
  readonly namespace: string
  /** Our name among the replicas; null: one is made up. */
  readonly podName: string | null
  /** The `spec.controller` of our IngressClasses: who reports Events. */
  readonly controller: string
  readonly world: StatusWorld & {
    /** A Service as far as its addresses are concerned; null: there is none. */
    service(namespace: string, name: string): Service | null
    /** The keys of session tickets that are in their Secret. */
    storedTicketKeys(): readonly TicketKey[]
  }
  /** Of the world, those of the source included. */
  readonly problems: () => readonly Problem[]
  /** Whether world and problems are known in full. */
  readonly synced: () => boolean
  /** How long a key makes session tickets, milliseconds. */
  readonly ticketKeyLife: () => number
  /** The Service in front of us; null: none. */
  readonly publishService: { readonly namespace: string; readonly name: string } | null
  /** What status tells when there is no such Service, or it has no address. */
  readonly publishAddresses: readonly PublishAddress[]
  readonly log: Logger
  readonly clock?: Clock
}

/** For metrics. Counts of this replica, all its terms together. */
export interface LeadershipState {
  readonly leader: boolean
  readonly statusWrites: number
  readonly statusFailures: number
  readonly eventsWritten: number
  readonly eventsDropped: number
}

export class Leadership {
  readonly #client: KubeClient
  readonly #log: Logger
  readonly #election: LeaderElection
  readonly #publisher: StatusPublisher
  readonly #recorder: EventRecorder
  readonly #keeper: TicketKeyKeeper
  readonly #ending = new AbortController()
  #running: Promise<void> | null = null
  /** What ended a term before its time. */
  #fault: unknown = null
  #stopped: Promise<void> | null = null

  constructor(options: LeadershipOptions) {
    const { client, namespace, world, publishService, publishAddresses, log } = options
    const identity = options.podName ?? `${hostname()}-${randomBytes(4).toString('hex')}`
    this.#client = client
    this.#log = log
    // Who slept through the end of its term hears of that only later.
    const synced = (): boolean => this.isLeader && options.synced()
    this.#publisher = new StatusPublisher({
      ...options,
      addresses: () => {
        const service = publishService === null ? null : world.service(publishService.namespace, publishService.name)
        return addressesToPublish(service, publishAddresses)
      },
      synced,
    })
    this.#recorder = new EventRecorder({ ...options, instance: identity, synced })
    this.#keeper = new TicketKeyKeeper({
      client,
      secret: ticketKeysSecret(namespace),
      known: () => world.storedTicketKeys(),
      life: options.ticketKeyLife,
      log,
      ...(options.clock === undefined ? {} : { clock: options.clock }),
    })
    this.#election = new LeaderElection({
      client,
      namespace,
      name: leaseName,
      identity,
      lead: term => this.#lead(term),
      onError: error => this.#complain(error, namespace),
      ...(options.clock === undefined ? {} : { clock: options.clock }),
    })
  }

  get isLeader(): boolean {
    return this.#election.isLeader
  }

  get state(): LeadershipState {
    return {
      leader: this.isLeader,
      statusWrites: this.#publisher.writes,
      statusFailures: this.#publisher.failures,
      eventsWritten: this.#recorder.written,
      eventsDropped: this.#recorder.dropped,
    }
  }

  /** Stands for election from now on. Once is enough. */
  start(): void {
    this.#running ??= this.#election.run(this.#ending.signal)
  }

  /** The world has changed: what the leader has to do about it is done now, not at its next look. */
  mark(): void {
    this.#publisher.mark()
  }

  /** Gives the Lease back, within a few seconds. No status is taken back: the next leader would write the same. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#ending.abort()
    await this.#running
    await this.#client.close()
  }

  async #lead(term: AbortSignal): Promise<void> {
    this.#log.info('this replica leads: it writes the status of Ingress objects, Events and keys of session tickets')
    const end = new AbortController()
    const signal = AbortSignal.any([term, end.signal])
    const parts = [this.#publisher.run(signal), this.#recorder.run(signal), this.#keeper.run(signal)].map(part =>
      part.catch(error => {
        this.#fault ??= error
        // One that leads by half would keep others from leading.
        end.abort()
        throw error
      }),
    )
    const ended = await Promise.allSettled(parts)
    this.#log.info('this replica leads no more')
    const failed = ended.find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
  }

  #complain(error: unknown, namespace: string): void {
    const reason = error instanceof Error ? error.message : String(error)
    const lease = `${namespace}/${leaseName}`
    if (error === this.#fault && error !== null) {
      this.#fault = null
      this.#log.error(
        { lease, reason },
        'this replica failed as the leader, and leaves the Lease to others for a while',
      )
    } else if (error instanceof KubeError && error.status === 403)
      // To create it is a right that no name narrows down, and so nobody has it.
      this.#log.warn(
        { lease, reason },
        'we may not use the Lease: when it is gone, create the Lease or run helm upgrade; else a Role must allow get and update of it',
      )
    else this.#log.warn({ lease, reason }, 'the Lease cannot be renewed or taken now')
  }
}
