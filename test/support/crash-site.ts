// A controller that is killed in the middle of what it does, started again, and looked at: its database, its cluster and
// its API have to agree, whatever moment it was.

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { parseAllDocuments } from 'yaml'
import { allProcesses, environmentOf, type ProcessStat } from '#kit/children/procfs.ts'
import type { PostgresDatabase } from '#test/support/postgres.ts'
import { type ApiReply, ControllerProcess } from './controller-process.ts'

const program = `
const { createServer } = require('node:http')
const { WORD, DEIS_APP, WORKFLOW_RELEASE } = process.env
createServer((_, response) => response.end(DEIS_APP + ' ' + WORKFLOW_RELEASE + ' ' + WORD)).listen(process.env.PORT)
process.on('SIGTERM', () => process.exit(0))
`

/** What a user gets done, or at least begins. */
export const deeds = ['create', 'config', 'build', 'scale', 'rollback', 'broken build', 'destroy'] as const
export type Deed = (typeof deeds)[number]

/** The app that is there all the time, and the one that comes and goes. */
const steady = 'steady'
const brief = 'brief'

export class CrashSite implements AsyncDisposable {
  readonly directory: string
  readonly #database: PostgresDatabase | null
  readonly #source: string
  #controller: ControllerProcess | null = null
  #token = ''
  #words = 0
  /** What `steady` may be, after the answers that its user got and those that he did not get; null: anything. */
  #word: readonly string[] | null = ['first']
  #count: readonly number[] = [1]

  private constructor(directory: string, database: PostgresDatabase | null) {
    this.directory = directory
    this.#database = database
    this.#source = join(directory, 'source.cjs')
  }

  static async start(database: PostgresDatabase | null): Promise<CrashSite> {
    const site = new CrashSite(await mkdtemp(join(tmpdir(), 'crash-')), database)
    await writeFile(site.#source, program)
    await site.open()
    site.#token = await site.controller.user('alice')
    await site.#make(steady)
    return site
  }

  get controller(): ControllerProcess {
    return this.#controller!
  }

  /** Starts a controller on what the last one left, and waits until it has looked at every app. */
  async open(...more: readonly string[]): Promise<void> {
    const database = this.#database
    const flags = database === null ? ['--sqlite', join(this.directory, 'state.db')] : []
    const env: Record<string, string> =
      database === null
        ? {}
        : {
            DEIS_DATABASE_SERVICE_HOST: database.host,
            DEIS_DATABASE_SERVICE_PORT: String(database.port),
            DEIS_DATABASE_USER: database.user,
            DEIS_DATABASE_NAME: database.database,
          }
    this.#controller = new ControllerProcess([...flags, '--local', join(this.directory, 'local'), ...more], env)
    await this.logged('every app was looked at')
  }

  /** Resolves when the controller has said it in its log. */
  async logged(message: string): Promise<void> {
    const { controller } = this
    await controller.until(`it logged “${message}”`, () => controller.log.find(entry => entry.message === message))
  }

  /**
   * Does it and kills the controller after so many milliseconds, or when the answer is there if that is earlier by
   * then. Returns the answer; null: there was none.
   */
  async killDuring(deed: Deed, milliseconds: number): Promise<ApiReply | null> {
    const begun = await this.#begin(deed)
    const answer = begun().then(
      reply => reply,
      () => null,
    )
    await delay(milliseconds)
    await this.controller.end('SIGKILL')
    const reply = await answer
    this.#learn(deed, reply !== null && reply.status < 300)
    return reply
  }

  /** Everything that does not agree; empty when all is well. Waits for processes that are coming and going. */
  async faults(): Promise<readonly string[]> {
    let faults: readonly string[] = []
    const end = performance.now() + 15_000
    do {
      faults = await this.#look()
      if (faults.length === 0) return []
      await delay(50)
    } while (performance.now() < end)
    return faults
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#controller !== null) await this.#controller.end()
    // When that went wrong.
    for (const { pid } of this.#processes()) process.kill(pid, 'SIGKILL')
    await rm(this.directory, { recursive: true, force: true })
  }

  /** Names of apps, as the API has them. */
  async apps(): Promise<readonly string[]> {
    const { body } = await this.call('GET', '/v2/apps/')
    return body.results.map(({ id }: { id: string }) => id)
  }

  call(method: string, path: string, body?: unknown): Promise<ApiReply> {
    return this.controller.call(method, path, this.#token, body)
  }

  async #done(status: number, method: string, path: string, body?: unknown): Promise<void> {
    const reply = await this.call(method, path, body)
    if (reply.status !== status) throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`)
  }

  async #make(app: string): Promise<void> {
    await this.#done(201, 'POST', '/v2/apps/', { id: app })
    await this.#done(201, 'POST', `/v2/apps/${app}/config/`, { values: { WORD: 'first' } })
    await this.#done(201, 'POST', `/v2/apps/${app}/builds/`, this.build())
  }

  /** As the API takes it. */
  build(web = `${process.execPath} source.cjs`): unknown {
    return { image: this.directory, procfile: { web } }
  }

  /** What comes before the deed is done now; the deed itself by whoever calls what is returned. */
  async #begin(deed: Deed): Promise<() => Promise<ApiReply>> {
    const isThere = (await this.apps()).includes(brief)
    const path = `/v2/apps/${steady}`
    switch (deed) {
      case 'create':
        if (isThere) await this.#done(204, 'DELETE', `/v2/apps/${brief}/`)
        return () => this.call('POST', '/v2/apps/', { id: brief })
      case 'destroy':
        if (isThere) await this.#done(204, 'DELETE', `/v2/apps/${brief}/`)
        await this.#make(brief)
        return () => this.call('DELETE', `/v2/apps/${brief}/`)
      case 'config': {
        const word = `word${++this.#words}`
        return () => this.call('POST', `${path}/config/`, { values: { WORD: word } })
      }
      case 'build':
        return () => this.call('POST', `${path}/builds/`, this.build())
      case 'broken build':
        return () => this.call('POST', `${path}/builds/`, this.build('exit 1'))
      case 'scale': {
        const web = nextCount(this.#count[0]!)
        return () => this.call('POST', `${path}/scale/`, { web })
      }
      case 'rollback':
        return () => this.call('POST', `${path}/releases/rollback/`, {})
    }
  }

  /** What was answered has to last; what was not may have come to be. */
  #learn(deed: Deed, done: boolean): void {
    if (deed === 'rollback') this.#word = null
    else if (deed === 'config') this.#word = [...(done ? [] : (this.#word ?? [])), `word${this.#words}`]
    else if (deed === 'scale') this.#count = [...(done ? [] : this.#count), nextCount(this.#count[0]!)]
  }

  async #look(): Promise<readonly string[]> {
    const apps = await this.apps()
    const faults = (await Promise.all(apps.map(app => this.#lookAt(app)))).flat()
    const files = (await readdir(join(this.directory, 'local', 'manifests'))).filter(name => !name.startsWith('.'))
    const owners = new Set(files.map(name => /^(?:app|endpoints)-(.*)\.yaml$/.exec(name)?.[1] ?? name))
    for (const owner of owners) if (!apps.includes(owner)) faults.push(`manifests of ${owner}, which is gone`)
    const groups = new Set(this.#processes().map(({ group }) => group)).size
    const wanted = await this.#wantedProcesses(apps)
    if (groups !== wanted) faults.push(`${groups} groups of processes run, and not ${wanted}`)
    return faults
  }

  /** Of apps of ours, whoever started them. */
  #processes(): readonly ProcessStat[] {
    const mine = `TMPDIR=${join(this.directory, 'local')}`
    return allProcesses().filter(
      ({ pid, isZombie }) => !isZombie && environmentOf(pid).some(each => each.startsWith(mine)),
    )
  }

  async #wantedProcesses(apps: readonly string[]): Promise<number> {
    let wanted = 0
    for (const app of apps) {
      const { body } = await this.call('GET', `/v2/apps/${app}/`)
      for (const count of Object.values(body.structure as Record<string, number>)) wanted += count
    }
    return wanted
  }

  async #lookAt(app: string): Promise<string[]> {
    const path = `/v2/apps/${app}`
    const [shown, pods, releases, config] = await Promise.all(
      ['/', '/pods/', '/releases/', '/config/'].map(async part => (await this.call('GET', path + part)).body),
    )
    const faults: string[] = []
    const current = releases.results.find(({ failed }: { failed: boolean }) => !failed)
    const versions = releases.results.map(({ version }: { version: number }) => version)
    const gapless = Array.from({ length: versions.length }, (_, i) => versions.length - i)
    if (!isDeepStrictEqual(versions, gapless)) faults.push(`${app}: versions ${versions}`)
    const isBuilt = current.build !== null
    const { web = 0 } = shown.structure
    if (isBuilt !== web > 0) faults.push(`${app}: ${web} processes wanted of v${current.version}`)
    const seen = pods.results.map((pod: Record<string, unknown>) => `${pod.type} ${pod.release} ${pod.state}`)
    const due = Array.from({ length: web }, () => `web v${current.version} up`)
    if (!isDeepStrictEqual(seen, due)) faults.push(`${app}: ${seen} instead of ${due}`)
    const heard = await this.#ask(app)
    const words = due.map(() => `${app} v${current.version} ${config.values.WORD}`)
    if (!isDeepStrictEqual(heard, words)) faults.push(`${app}: answers ${heard} instead of ${words}`)
    if (app === steady && web < 1) faults.push(`${app}: runs no more`)
    return faults
  }

  /** What is answered where the router would send requests. */
  async #ask(app: string): Promise<readonly string[]> {
    const file = join(this.directory, 'local', 'manifests', `endpoints-${app}.yaml`)
    const text = await readFile(file, 'utf8').catch(() => '')
    const slices = parseAllDocuments(text).flatMap(document => document.toJS() ?? [])
    return Promise.all(
      slices.map(async ({ ports }) => {
        const response = await fetch(`http://127.0.0.1:${ports[0].port}/`, { headers: { connection: 'close' } })
        return await response.text()
      }),
    ).catch((error: Error) => [error.message])
  }

  /** What a user was told, and what is: null when they agree. Counts as told from then on. */
  async broken(): Promise<string | null> {
    const { body: config } = await this.call('GET', `/v2/apps/${steady}/config/`)
    const { body: app } = await this.call('GET', `/v2/apps/${steady}/`)
    const [word, count] = [config.values.WORD as string, app.structure.web as number]
    const agrees = (this.#word?.includes(word) ?? true) && this.#count.includes(count)
    const told = JSON.stringify([this.#word, this.#count])
    this.#word = [word]
    this.#count = [count]
    return agrees ? null : `one of ${told} was told, and it is ${JSON.stringify([word, count])}`
  }
}

function nextCount(count: number): number {
  return (count % 3) + 1
}
