// The life of an app, from the first user's account to its end, as a person lives it: with the `deis` command, git and
// requests. The same steps for a platform on one machine and for one in a cluster.

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

const source = fileURLToPath(new URL('../../examples/node-app', import.meta.url))

export class Life {
  readonly #site: Site
  readonly #app: string
  readonly #directory: string
  readonly #domain: string

  /** `app`: a name that nobody has. */
  constructor(site: Site, app = 'life') {
    this.#site = site
    this.#app = app
    this.#directory = join(site.home, app)
    this.#domain = `www.${app}.example.com`
  }

  async register(): Promise<void> {
    const { controller, home } = this.#site
    const account = ['--username', 'alice', '--password', 'a password of hers', '--email', 'alice@example.com']
    const { out } = good(await this.#site.deis(home, 'register', controller, ...account))
    expect(out).toContain('Registered alice')
    expect(out).toContain('Logged in as alice')
    expect(good(await this.#site.deis(home, 'whoami')).out).toContain(`You are alice at ${controller}`)
  }

  async addKey(): Promise<void> {
    const { home } = this.#site
    const { out } = good(await this.#site.deis(home, 'keys:add', join(home, '.ssh', 'id_ed25519.pub')))
    expect(out).toMatch(/Uploading id_ed25519\.pub to deis\.\.\..*done/s)
    expect(good(await this.#site.deis(home, 'keys:list')).out).toContain('ssh-ed25519')
  }

  async create(): Promise<void> {
    await cp(source, this.#directory, { recursive: true })
    good(await this.#git('init', '--quiet', '--initial-branch=master'))
    good(await this.#git('add', '--all'))
    good(await this.#git('commit', '--quiet', '-m', 'An app'))
    const { out } = good(await this.#deis('create', this.#app))
    expect(out).toContain(`done, created ${this.#app}`)
    expect(good(await this.#git('remote', 'get-url', 'deis')).out).toMatch(
      new RegExp(`^ssh://git@.*/${this.#app}\\.git$`, 'm'),
    )
  }

  async push(): Promise<void> {
    const { err } = good(await this.#git('push', 'deis', 'master'))
    expect(err).toContain(`Done, ${this.#app}:v2 deployed to Workflow`)
    await this.#until(`Hello from ${this.#app} v2\n`)
  }

  async configure(): Promise<void> {
    const { out } = good(await this.#deis('config:set', 'GREETING=Welcome'))
    expect(out).toMatch(/Creating config\.\.\..*done/s)
    expect(out).toMatch(/^GREETING +Welcome$/m)
    await this.#until(`Welcome from ${this.#app} v3\n`)
  }

  async scale(): Promise<void> {
    const { out } = good(await this.#deis('ps:scale', 'web=2'))
    expect(out.match(new RegExp(`^${this.#app}-web-[\\w-]+ up \\(v3\\)$`, 'gm'))).toHaveLength(2)
  }

  async addDomain(): Promise<void> {
    const { out } = good(await this.#deis('domains:add', this.#domain))
    expect(out).toMatch(new RegExp(`Adding ${this.#domain} to ${this.#app}\\.\\.\\..*done`, 's'))
    await this.#until(`Welcome from ${this.#app} v3\n`, this.#domain)
  }

  async addCertificate(): Promise<void> {
    const { chain, key } = selfSign([this.#domain], 1, Date.now())
    const [chainFile, keyFile] = [join(this.#site.home, 'chain.pem'), join(this.#site.home, 'key.pem')]
    await writeFile(chainFile, chain)
    await writeFile(keyFile, key)
    good(await this.#deis('certs:add', this.#app, chainFile, keyFile))
    const { out } = good(await this.#deis('certs:attach', this.#app, this.#domain))
    expect(out).toMatch(new RegExp(`Attaching certificate ${this.#app} to domain ${this.#domain}\\.\\.\\..*done`, 's'))
    // Nobody else's certificate passes, and no other name gets this one.
    await until(async () => {
      const answer = await visit(this.#site, this.#domain, chain)
      return answer.text === `Welcome from ${this.#app} v3\n` ? null : answer
    })
    const other = await visit(this.#site, `${this.#app}.${this.#site.platformDomain}`, chain)
    expect(other.status).toBe(0)
  }

  async readLogs(): Promise<void> {
    await until(async () => {
      const { out } = good(await this.#deis('logs'))
      const told = out.includes('deis[controller]: INFO alice deployed ')
      const wrote = new RegExp(`${this.#app}\\[web\\.v3\\.[a-z0-9]+\\]: listening on `).test(out)
      return told && wrote ? null : out
    })
  }

  async rollBack(): Promise<void> {
    const { out } = good(await this.#deis('rollback', 'v2'))
    expect(out).toMatch(/Rolling back to v2\.\.\..*done, v4/s)
    await this.#until(`Hello from ${this.#app} v4\n`)
    expect(good(await this.#deis('releases')).out).toMatch(/^v4\s/m)
  }

  async destroy(): Promise<void> {
    const { out } = good(await this.#deis('destroy', `--confirm=${this.#app}`))
    expect(out).toMatch(/Destroying .*done in/s)
    expect((await this.#git('remote')).out).toBe('')
    const name = `${this.#app}.${this.#site.platformDomain}`
    await until(async () => {
      const { status } = await visit(this.#site, name)
      return status === 404 ? null : status
    })
  }

  #deis(...args: readonly string[]): Promise<Ended> {
    return this.#site.deis(this.#directory, ...args)
  }

  #git(...args: readonly string[]): Promise<Ended> {
    return this.#site.git(this.#directory, ...args)
  }

  /** The app says so, and nothing else: whoever says that a release is live says it when it is. */
  async #until(text: string, host = `${this.#app}.${this.#site.platformDomain}`): Promise<void> {
    await until(async () => {
      const answer = await visit(this.#site, host)
      return answer.status === 200 && answer.text === text ? null : answer
    })
  }
}

/** Throws with all that it said unless it did well. */
function good(ended: Ended): Ended {
  if (ended.code !== 0) throw new Error(`it ended with ${ended.code}:\n${ended.out}\n${ended.err}`)
  return ended
}

/** Milliseconds that the last step's change may take to reach visitors. */
const patience = 10_000

/** Until `look` finds nothing wrong (null): the router hears of changes, and nobody hears of that. */
async function until(look: () => Promise<unknown>): Promise<void> {
  const end = performance.now() + patience
  for (;;) {
    const wrong = await look()
    if (wrong === null) return
    if (performance.now() > end) throw new Error(`it stays so: ${JSON.stringify(wrong)}`)
    await delay(20)
  }
}

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
