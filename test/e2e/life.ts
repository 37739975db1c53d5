// The life of an app, from the first user's account to its end, as a person lives it: with the `deis` command, git and
// requests. The same steps for a platform on one machine and for one in a cluster, left alone or losing its parts meanwhile.

import { cp, writeFile } from 'node:fs/promises'
import { get as getPlain } from 'node:http'
import { get as getSecure } from 'node:https'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { selfSign } from '#kit/self-signed.ts'
import type { Ended } from '#test/support/builder-stage.ts'
import type { Site } from './site.ts'

export interface Step {
  readonly name: string
  readonly run: (life: Life) => Promise<void>
}

/** In their order: each goes on from the one before. */
export const steps: readonly Step[] = [
  { name: 'register', run: life => life.register() },
  { name: 'keys:add', run: life => life.addKey() },
  { name: 'create', run: life => life.create() },
  { name: 'git push', run: life => life.push() },
  { name: 'config:set', run: life => life.configure() },
  { name: 'ps:scale', run: life => life.scale() },
  { name: 'domains:add', run: life => life.addDomain() },
  { name: 'certs:add and certs:attach', run: life => life.addCertificate() },
  { name: 'logs', run: life => life.readLogs() },
  { name: 'rollback', run: life => life.rollBack() },
  { name: 'destroy', run: life => life.destroy() },
]

/** Of somebody who has an account already. */
export const laterSteps: readonly Step[] = [
  { name: 'login', run: life => life.logIn() },
  ...steps.filter(({ name }) => name !== 'register'),
]

export interface LifeOptions {
  /** A name that nobody has. */
  readonly app?: string
  /**
   * How often a command may be given until it does well. 1: nothing disturbs the platform, and each does well at once. More:
   * what fails has to say why in one line, and what was begun by the one that failed must not be in the way of the next.
   */
  readonly tries?: number
}

const source = fileURLToPath(new URL('../../examples/node-app', import.meta.url))

export class Life {
  readonly #site: Site
  readonly #app: string
  readonly #directory: string
  readonly #domain: string
  readonly #tries: number
  readonly #failures: string[] = []
  /** The newest release. */
  #version = 0
  #pushed = 0

  constructor(site: Site, { app = 'life', tries = 1 }: LifeOptions = {}) {
    this.#site = site
    this.#app = app
    this.#directory = join(site.home, app)
    this.#domain = `www.${app}.example.com`
    this.#tries = tries
  }

  /** What commands that had to be repeated said, with their first word. */
  get failures(): readonly string[] {
    return this.#failures
  }

  async register(): Promise<void> {
    const { controller, home } = this.#site
    const account = ['--username', 'alice', '--password', 'a password of hers', '--email', 'alice@example.com']
    const { out } = good(await this.#site.deis(home, 'register', controller, ...account))
    expect(out).toContain('Registered alice')
    expect(out).toContain('Logged in as alice')
    expect(good(await this.#site.deis(home, 'whoami')).out).toContain(`You are alice at ${controller}`)
  }

  async logIn(): Promise<void> {
    const { controller, home } = this.#site
    const account = ['--username', 'alice', '--password', 'a password of hers']
    const { out } = await this.#again('login', () => this.#site.deis(home, 'login', controller, ...account))
    expect(out).toContain('Logged in as alice')
  }

  async addKey(): Promise<void> {
    const { home } = this.#site
    const add = () => this.#site.deis(home, 'keys:add', join(home, '.ssh', 'id_ed25519.pub'))
    const { out } = await this.#again('keys:add', add, /already/)
    expect(out).toMatch(/Uploading id_ed25519\.pub to deis\.\.\..*(done|already)/s)
    const { out: keys } = await this.#again('keys:list', () => this.#site.deis(home, 'keys:list'))
    expect(keys).toContain('ssh-ed25519')
  }

  async create(): Promise<void> {
    await cp(source, this.#directory, { recursive: true })
    good(await this.#git('init', '--quiet', '--initial-branch=master'))
    good(await this.#git('add', '--all'))
    good(await this.#git('commit', '--quiet', '-m', 'An app'))
    const { code, out } = await this.#deis(['create', this.#app], /already exists/)
    if (code === 0) expect(out).toContain(`done, created ${this.#app}`)
    else await this.#deis(['git:remote', '--app', this.#app])
    expect(good(await this.#git('remote', 'get-url', 'deis')).out).toMatch(
      new RegExp(`^ssh://git@.*/${this.#app}\\.git$`, 'm'),
    )
  }

  async push(): Promise<void> {
    const { err } = await this.#again('git push', () => this.#git('push', 'deis', 'master'))
    await this.#released(2)
    this.#pushed = this.#version
    // What was deployed by a push that nobody heard the end of is not deployed once more.
    if (this.#failures.every(text => !text.startsWith('git push')) || !err.includes('Everything up-to-date'))
      expect(err).toContain(`Done, ${this.#app}:v${this.#pushed} deployed to Workflow`)
    await this.#until(this.#says('Hello'))
  }

  async configure(): Promise<void> {
    const { code, out } = await this.#deis(['config:set', 'GREETING=Welcome'], /no changes|nothing/i)
    if (code === 0) expect(out).toMatch(/Creating config\.\.\..*done/s)
    const { out: list } = await this.#deis(['config:list'])
    expect(list).toMatch(/^GREETING +Welcome$/m)
    await this.#released(3)
    await this.#until(this.#says('Welcome'))
  }

  async scale(): Promise<void> {
    const { out } = await this.#deis(['ps:scale', 'web=2'])
    expect(out.match(new RegExp(`^${this.#app}-web-[\\w-]+ up \\(v${this.#version}\\)$`, 'gm'))).toHaveLength(2)
  }

  async addDomain(): Promise<void> {
    const { out } = await this.#deis(['domains:add', this.#domain], /already in use/)
    expect(out).toMatch(new RegExp(`Adding ${this.#domain} to ${this.#app}\\.\\.\\..*(done|already)`, 's'))
    await this.#until(this.#says('Welcome'), this.#domain)
  }

  async addCertificate(): Promise<void> {
    const { chain, key } = selfSign([this.#domain], 1, Date.now())
    const [chainFile, keyFile] = [join(this.#site.home, 'chain.pem'), join(this.#site.home, 'key.pem')]
    await writeFile(chainFile, chain)
    await writeFile(keyFile, key)
    await this.#deis(['certs:add', this.#app, chainFile, keyFile], /already exists/)
    const { out } = await this.#deis(['certs:attach', this.#app, this.#domain], /already has a certificate/)
    expect(out).toMatch(
      new RegExp(`Attaching certificate ${this.#app} to domain ${this.#domain}\\.\\.\\..*(done|already)`, 's'),
    )
    // Nobody else's certificate passes, and no other name gets this one.
    await this.#eventually(async () => {
      const answer = await visit(this.#site, this.#domain, chain)
      return answer.text === this.#says('Welcome') ? null : answer
    })
    const other = await visit(this.#site, `${this.#app}.${this.#site.platformDomain}`, chain)
    expect(other.status).toBe(0)
  }

  async readLogs(): Promise<void> {
    await this.#eventually(async () => {
      const { out } = await this.#deis(['logs'])
      const told = out.includes('deis[controller]: INFO alice deployed ')
      const wrote = new RegExp(`${this.#app}\\[web\\.v${this.#version}\\.[a-z0-9]+\\]: listening on `).test(out)
      return told && wrote ? null : out
    })
  }

  async rollBack(): Promise<void> {
    const { out } = await this.#deis(['rollback', `v${this.#pushed}`])
    await this.#released(4)
    expect(out).toMatch(new RegExp(`Rolling back to v${this.#pushed}\\.\\.\\..*done, v${this.#version}`, 's'))
    await this.#until(this.#says('Hello'))
  }

  async destroy(): Promise<void> {
    const { code, out } = await this.#deis(['destroy', `--confirm=${this.#app}`], /not found/i)
    if (code === 0) {
      expect(out).toMatch(/Destroying .*done in/s)
      expect((await this.#git('remote')).out).toBe('')
    }
    const name = `${this.#app}.${this.#site.platformDomain}`
    await this.#eventually(async () => {
      const { status } = await visit(this.#site, name)
      return status === 404 ? null : status
    })
  }

  #says(greeting: string): string {
    return `${greeting} from ${this.#app} v${this.#version}\n`
  }

  /** Looks which release is the newest: the one of this number, where nothing had to be repeated. */
  async #released(expected: number): Promise<void> {
    const { out } = await this.#deis(['releases'])
    this.#version = Number(/^v(\d+)\s/m.exec(out)?.[1])
    if (this.#tries === 1) expect(this.#version).toBe(expected)
    expect(this.#version).toBeGreaterThanOrEqual(expected)
  }

  /** Until it did well, or until a second try finds what it says is the work of the one before. */
  #deis(args: readonly string[], already: RegExp | null = null): Promise<Ended> {
    return this.#again(args[0]!, () => this.#site.deis(this.#directory, ...args), already)
  }

  async #again(name: string, command: () => Promise<Ended>, already: RegExp | null = null): Promise<Ended> {
    for (let tried = 1; ; tried++) {
      const ended = await command()
      if (ended.code === 0) return ended
      const said = ended.err.trim()
      if (tried > 1 && already?.test(said)) return { ...ended, out: ended.out + said }
      if (tried >= this.#tries) return good(ended)
      this.#failures.push(`${name}: ${said}`)
      expect(said).not.toBe('')
      expect(said).not.toMatch(/^ +at /m)
      await delay(1_000)
    }
  }

  #git(...args: readonly string[]): Promise<Ended> {
    return this.#site.git(this.#directory, ...args)
  }

  /** The app says so, and nothing else: whoever says that a release is live says it when it is. */
  async #until(text: string, host = `${this.#app}.${this.#site.platformDomain}`): Promise<void> {
    await this.#eventually(async () => {
      const answer = await visit(this.#site, host)
      return answer.status === 200 && answer.text === text ? null : answer
    })
  }

  /** Until `look` finds nothing wrong (null): the router hears of changes, and nobody hears of that. */
  async #eventually(look: () => Promise<unknown>): Promise<void> {
    const end = performance.now() + (this.#tries === 1 ? patience : disturbedPatience)
    for (;;) {
      const wrong = await look()
      if (wrong === null) return
      if (performance.now() > end) throw new Error(`it stays so: ${JSON.stringify(wrong)}`)
      await delay(20)
    }
  }
}

/** Throws with all that it said unless it did well. */
function good(ended: Ended): Ended {
  if (ended.code !== 0) throw new Error(`it ended with ${ended.code}:\n${ended.out}\n${ended.err}`)
  return ended
}

/** Milliseconds that the last step's change may take to reach visitors. */
const patience = 10_000
/** The same while whoever brings it there is killed and has to start again. */
const disturbedPatience = 90_000

interface Visit {
  /** 0: there was no answer. */
  readonly status: number
  /** Or why there was none. */
  readonly text: string
}

/** A request of its own; with `authority` (PEM) over TLS, by SNI, of nobody but who has that certificate. */
export function visit({ http, https }: Site, host: string, authority: string | null = null): Promise<Visit> {
  const { promise, resolve } = Promise.withResolvers<Visit>()
  const place = authority === null ? http : https
  const options = { host: place.address, port: place.port, headers: { host }, agent: false, timeout: 5_000 }
  const request =
    authority === null
      ? getPlain(options)
      : getSecure({ ...options, ca: authority, servername: host, minVersion: 'TLSv1.2' })
  request.on('timeout', () => request.destroy(new Error('no answer in time')))
  request.on('error', error => resolve({ status: 0, text: error.message }))
  request.on('response', async response => {
    const text = Buffer.concat(await response.toArray()).toString()
    resolve({ status: response.statusCode ?? 0, text })
  })
  return promise
}
