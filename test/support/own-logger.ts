// A logger of one's own, in this process: what is kept there and whom it sends to is asked of it as an operator would.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { configOf } from '#kit/command-line.ts'
import { createLogger } from '#kit/log.ts'
import { parseConfig } from '#logger/config.ts'
import type { LogSource } from '#logger/line.ts'
import { Logger } from '#logger/logger.ts'

export class OwnLogger implements AsyncDisposable {
  readonly directory: string
  readonly #options: readonly string[]
  /** Of the API; the same after a restart. */
  port = 0
  #logger: Logger | null = null

  private constructor(directory: string, options: readonly string[]) {
    this.directory = directory
    this.#options = options
  }

  static async start(options: readonly string[] = []): Promise<OwnLogger> {
    const logger = new OwnLogger(await mkdtemp(join(tmpdir(), 'own-logger-')), options)
    await logger.open()
    return logger
  }

  /** What it is started with, by this process or by another one. */
  get flags(): readonly string[] {
    return ['--folder', this.directory, '--http-port', String(this.port), ...this.#options]
  }

  async open(): Promise<void> {
    const others = ['--address', '127.0.0.1', '--admin-port', '0', '--udp-port', 'off', '--tcp-port', 'off']
    const log = createLogger({ destination: { write: () => {} } })
    const config = configOf(parseConfig([...this.flags, ...others], {}, '0'))
    // Log drains of tests lead nowhere.
    this.#logger = await Logger.start(config, { log, resolve: async () => [] })
    this.port = this.#logger.httpPort
  }

  async close(): Promise<void> {
    await this.#logger?.stop()
    this.#logger = null
  }

  /** As Kubernetes says where the logger is. */
  get env(): Readonly<Record<string, string>> {
    return { DEIS_LOGGER_SERVICE_HOST: '127.0.0.1', DEIS_LOGGER_SERVICE_PORT_HTTP: String(this.port) }
  }

  /** After the app's last removal, which lines of the same millisecond were before. */
  write(app: string, text: string, source: LogSource = 'app'): void {
    this.#logger!.write({ app, source, process: null, time: Date.now() + 1, text })
  }

  async call(method: string, path: string): Promise<Response> {
    return await fetch(`http://127.0.0.1:${this.port}${path}`, { method })
  }

  /** Where the lines of the app are sent on; null: nowhere. */
  async drain(app: string): Promise<string | null> {
    const response = await this.call('GET', `/drains/${app}`)
    const body = await response.text()
    return response.status === 404 ? null : (JSON.parse(body) as { readonly url: string }).url
  }

  /** One of its metrics, without `deis_logger_`. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.#logger!.adminPort}/metrics`)).text()
    return Number(new RegExp(`^deis_logger_${name} (.*)$`, 'm').exec(text)?.[1])
  }

  /** Until it is so; it tells nobody. */
  async until(isSo: () => Promise<boolean>): Promise<void> {
    while (!(await isSo())) await setImmediate()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
    await rm(this.directory, { recursive: true })
  }
}
