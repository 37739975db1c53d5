// Requests of many kinds at a constant rate, whatever the answers do (open loop): a slow answer does not hold back the
// next request, so nothing that goes wrong can hide.

import type { SoakApp } from './apps.ts'
import type { Front } from './front.ts'
import { askAnew, KeptConnections, type Redo } from './http1-clients.ts'
import { Http2Client } from './http2-client.ts'
import type { Kind, Ledger } from './ledger.ts'

interface Act {
  readonly kind: Kind
  /** Of a hundred requests. */
  readonly share: number
  run(app: number, redo: Redo): Promise<void>
}

export interface TrafficOptions {
  readonly ledger: Ledger
  readonly front: Front
  readonly apps: readonly SoakApp[]
  /** Its endpoints close idle connections all the time. Only GETs may be sent again, so it gets nothing else. */
  readonly hasty: SoakApp
  readonly requestsPerSecond: number
}

const small = Buffer.alloc(2_000, 'x')

export class Traffic {
  readonly #ledger: Ledger
  readonly #rate: number
  readonly #acts: readonly Act[]
  /** The acts of a hundred requests, well mixed. */
  readonly #order: readonly Act[]
  readonly #apps: number
  readonly #kept: KeptConnections[] = []
  readonly #http2: Http2Client[] = []
  readonly #open = new Set<Promise<void>>()
  #started = 0
  #sent = 0
  #timer: NodeJS.Timeout | undefined

  constructor({ ledger, front, apps, hasty, requestsPerSecond }: TrafficOptions) {
    this.#ledger = ledger
    this.#rate = requestsPerSecond
    this.#apps = apps.length
    const keep = (app: SoakApp, scheme: 'http' | 'https', connections: number): KeptConnections => {
      const kept = new KeptConnections(app, front, scheme, connections)
      this.#kept.push(kept)
      return kept
    }
    const plain = apps.map(app => keep(app, 'http', 16))
    const secure = apps.map(app => keep(app, 'https', 8))
    // Never idle for long: who loses a connection under a POST cannot know whether to send it again.
    const posts = apps.map(app => keep(app, 'http', 2))
    const hurried = keep(hasty, 'http', 8)
    const streams = apps.map(app => new Http2Client(app, front, 2))
    this.#http2 = streams
    this.#acts = [
      { kind: 'http/1.1', share: 38, run: (app, redo) => plain[app]!.get(redo) },
      { kind: 'http/1.1, upload of 2 kB', share: 5, run: app => posts[app]!.post(small) },
      { kind: 'http/1.1, new connection', share: 10, run: app => askAnew(apps[app]!, front, 'http') },
      { kind: 'http/1.1, hasty endpoints', share: 5, run: (_, redo) => hurried.get(redo) },
      { kind: 'TLS', share: 15, run: (app, redo) => secure[app]!.get(redo) },
      { kind: 'TLS, new connection', share: 2, run: app => askAnew(apps[app]!, front, 'https') },
      { kind: 'h2', share: 25, run: (app, redo) => streams[app]!.get(redo) },
    ]
    this.#order = mixed(this.#acts)
  }

  get kinds(): readonly Kind[] {
    return this.#acts.map(({ kind }) => kind)
  }

  start(): void {
    this.#started = performance.now()
    this.#timer = setInterval(() => this.#sendDue(), 2)
  }

  /** Ends the load and waits for all answers. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#open)
    for (const client of this.#http2) client.close()
    await Promise.all(this.#kept.map(kept => kept.close()))
  }

  #sendDue(): void {
    const due = Math.floor(((performance.now() - this.#started) / 1_000) * this.#rate)
    for (; this.#sent < due; this.#sent++) {
      const act = this.#order[this.#sent % this.#order.length]!
      const running = this.#run(act, Math.floor(this.#sent / this.#order.length) % this.#apps).finally(() =>
        this.#open.delete(running),
      )
      this.#open.add(running)
    }
  }

  async #run({ kind, run }: Act, app: number): Promise<void> {
    const started = performance.now()
    try {
      await run(app, { redone: () => this.#ledger.redone(kind) })
      this.#ledger.done(kind, started)
    } catch (error) {
      this.#ledger.failed(kind, started, error)
    }
  }
}

/** Each act as often as its share, spread evenly. */
function mixed(acts: readonly Act[]): Act[] {
  return acts
    .flatMap(act => Array.from({ length: act.share }, (_, index) => ({ act, at: (index + 0.5) / act.share })))
    .sort((a, b) => a.at - b.at)
    .map(({ act }) => act)
}
