// What a command works with: what it says, whom it asks, who it is.

import { basename } from 'node:path'
import type { Arguments } from './arguments.ts'
import type { Client, Page } from './client.ts'
import type { ControllerUrl } from './controller-url.ts'
import { Fault } from './fault.ts'
import type { Repository } from './git.ts'
import type { Globals } from './globals.ts'
import { Output } from './output/output.ts'
import { limitOf, type Profile, profilePath, requireProfile } from './profile.ts'
import { Prompt } from './prompt.ts'
import type { Surroundings } from './surroundings.ts'

export class Context {
  readonly around: Surroundings
  readonly output: Output
  readonly prompt: Prompt
  /** Of the profile. */
  readonly profilePath: string
  readonly globals: Globals
  #profile: Promise<Profile> | null = null
  #client: Promise<Client> | null = null
  readonly #notices = new Set<string>()
  #exitCode = 0

  constructor(around: Surroundings, globals: Globals) {
    this.around = around
    this.globals = globals
    this.output = new Output(around.stdout, around.stderr, around.env)
    this.prompt = new Prompt(around.stdin, this.output)
    this.profilePath = profilePath(globals.profile, around)
  }

  get exitCode(): number {
    return this.#exitCode
  }

  /** The command ends well, but with this code. */
  leave(code: number): void {
    this.#exitCode = code
  }

  /** For the end of the command, each once. */
  get notices(): Iterable<string> {
    return this.#notices
  }

  /** Throws a Fault when there is none. */
  profile(): Promise<Profile> {
    this.#profile ??= requireProfile(this.profilePath)
    return this.#profile
  }

  /** Of the profile's controller. */
  client(): Promise<Client> {
    this.#client ??= this.profile().then(profile => this.clientOf(profile))
    return this.#client
  }

  async clientOf({ controller, token, sslVerify }: ClientOf): Promise<Client> {
    const { env, signal } = this.around
    // Loaded when somebody asks: HTTP and TLS are most of what a start would take.
    const { Client } = await import('./client.ts')
    return new Client({
      ...{ controller, token, sslVerify, env, signal },
      warn: line => this.output.warn(line),
      notice: line => void this.#notices.add(line),
      trace: line => {
        if (this.globals.debug) this.output.printError(`${line}\n`)
      },
    })
  }

  async repository(): Promise<Repository> {
    const { controller } = await this.profile()
    const { Repository } = await import('./git.ts')
    return new Repository(this.around, controller)
  }

  /** `--app`, else the app that this directory is pushed to, else the name of the directory. */
  async app(args: Arguments): Promise<string> {
    const { directory } = this.around
    const given = args.text('app')
    // Nothing is done for somebody who is not logged in, and no app is looked for.
    await this.profile()
    if (given !== null && given !== '') return given
    return (await (await this.repository()).app()) ?? basename(directory).toLowerCase()
  }

  /** A list as `--limit` wants it, or the profile. */
  async page<T>(path: string, args: Arguments): Promise<Page<T>> {
    const limit = args.number('limit') ?? limitOf(await this.profile())
    if (limit < 0) throw new Fault('--limit must not be negative')
    return (await this.client()).page<T>(path, limit)
  }
}

interface ClientOf {
  readonly controller: ControllerUrl
  readonly token: string | null
  readonly sslVerify: boolean
}
