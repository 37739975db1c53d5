// From a message as it came over the network to a line.

import { lineOf } from './attribution.ts'
import type { Lines } from './lines.ts'
import type { Metrics, Transport } from './metrics.ts'
import { decodeMessage } from './syslog/decode.ts'

export class Intake {
  readonly #lines: Lines
  readonly #metrics: Metrics

  constructor(lines: Lines, metrics: Metrics) {
    this.#lines = lines
    this.#metrics = metrics
  }

  /** `octets` are not kept. `sender`: canonical address. */
  take(octets: Buffer, sender: string, transport: Transport): void {
    const now = Date.now()
    const message = decodeMessage(octets, now)
    if (message.kind === 'malformed') this.#metrics.malformed(transport)
    this.#lines.write(lineOf(message, sender, now), transport)
  }

  /** Messages that were not looked at. */
  dropped(messages: number): void {
    this.#metrics.dropped('flood', messages)
  }
}
