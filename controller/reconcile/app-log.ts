// What happens to an app, told to whom it concerns: its users read lines in the app's log, who deploys follows events,
// and whoever runs the platform finds in the audit log who changed what.

import type { Writable } from 'node:stream'
import type { Logger } from '#kit/log.ts'
import type { AppId } from '../domain/app.ts'
import type { AppEvents } from './app-events.ts'

type Level = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR'

export interface AuditRecord {
  /** User name; null: nobody that is known. */
  readonly who: string | null
  /** `app.create`, `config.change`, … */
  readonly what: string
  readonly app?: AppId
  /** Version. */
  readonly release?: number
  /** Names of what changed. Never values: they may be secrets. */
  readonly details?: Readonly<Record<string, string | number | boolean | readonly string[] | null>>
}

export class AppLog {
  readonly #lines: Writable
  readonly #log: Logger
  readonly #events: AppEvents

  /** `lines`: where lines of apps go, for a collector to find. */
  constructor(lines: Writable, log: Logger, events: AppEvents) {
    this.#lines = lines
    this.#log = log
    this.#events = events
  }

  /** `INFO [shop]: message`: the collector knows the app by it (controller contract, section 9). */
  line(app: AppId, message: string, level: Level = 'INFO'): void {
    this.#lines.write(`${level} [${app}]: ${message.replace(/[\r\n]+/g, ' ')}\n`)
    this.#events.add(app, 'log', { level, message })
  }

  /** A step of a deploy, for those who follow it. */
  progress(app: AppId, version: number, message: string): void {
    this.#events.add(app, 'progress', { release: version, message })
  }

  deployed(app: AppId, version: number, outcome: 'started' | 'succeeded' | 'failed', message: string): void {
    this.#events.add(app, `deploy-${outcome}`, { release: version, message })
  }

  /** Rights of the app have changed: whoever follows it has to ask again. */
  rightsChanged(app: AppId): void {
    this.#events.dismiss(app)
  }

  /** Nobody asks for an app that is gone. */
  forget(app: AppId): void {
    this.#events.forget(app)
  }

  audit(record: AuditRecord): void {
    const { details, ...fields } = record
    this.#log.info({ audit: true, ...fields, ...(details === undefined ? {} : { details }) }, record.what)
  }
}
