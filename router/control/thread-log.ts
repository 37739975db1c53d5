// What data threads say of themselves, in our own log: as talkative as the annotation `errorLogLevel` asks for, and
// bounded, for tenants' endpoints and clients can provoke any number of lines.

import { type Logger, levelOf } from '#kit/log.ts'
import type { FromData } from '../model/message.ts'
import type { LogLevel } from '../model/settings.ts'

/** Lines in a second. */
const maxLines = 100

export class ThreadLog {
  readonly #log: Logger
  #window = 0
  #lines = 0

  constructor(log: Logger) {
    this.#log = log.child({})
  }

  follow(level: LogLevel): void {
    this.#log.level = levelOf(level)
  }

  write({ level, message, fields }: FromData & { readonly kind: 'log' }, thread: number): void {
    const window = Math.floor(performance.now() / 1000)
    if (window !== this.#window) {
      const lost = this.#lines - maxLines
      if (lost > 0) this.#log.warn({ lines: lost }, 'data threads logged too much; lines were left out')
      this.#window = window
      this.#lines = 0
    }
    if (this.#log.isLevelEnabled(level) && ++this.#lines <= maxLines) this.#log[level]({ ...fields, thread }, message)
  }
}
