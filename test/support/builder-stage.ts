// A builder with a controller behind it, and people who push with the real git and ssh; all gone when the test ends.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { BuildStrategy } from '#builder/build/strategy.ts'
import { Builder } from '#builder/builder.ts'
import { type BuilderConfig, parseConfig } from '#builder/config.ts'
import { hostKeys } from '#builder/ssh/host-keys.ts'
import { configOf } from '#kit/command-line.ts'
import { createLogger } from '#kit/log.ts'
import { openStore } from '#store/open-store.ts'
import type { ObjectStore } from '#store/store.ts'
import { builderKey, ControllerStage, type StageOptions } from './controller-stage.ts'
import { ScriptStrategy } from './script-strategy.ts'

export interface Ended {
  readonly code: number | null
  readonly out: string
  /** Without the cursor's way to the first column, and colours. */
  readonly err: string
}

export interface BuilderStageOptions {
  readonly config?: Partial<BuilderConfig>
  readonly controller?: StageOptions
  /** Builds instead of `strategy`, which runs a script of the pushed tree. */
  readonly strategy?: (stage: BuilderStage) => Promise<BuildStrategy>
}

/** Made once: a key of RSA takes longer to make than most pushes. Null: no stage was there yet. */
let madeHostKeys: Promise<ReadonlyMap<string, string>> | null = null

/** Host keys as a builder makes them: name of the file → text. */
async function makeHostKeys(): Promise<ReadonlyMap<string, string>> {
  const directory = await mkdtemp(join(tmpdir(), 'builder-host-keys-'))
  try {
    await hostKeys(directory)
    const names = await readdir(directory)
    return new Map(
      await Promise.all(names.map(async name => [name, await readFile(join(directory, name), 'utf8')] as const)),
    )
  } finally {
    await rm(directory, { recursive: true })
  }
}

export class BuilderStage implements AsyncDisposable {
  readonly directory: string
  readonly controller: ControllerStage
  readonly store: ObjectStore
  readonly strategy: ScriptStrategy
  readonly log: Record<string, unknown>[] = []
  readonly #options: BuilderStageOptions
  #builder: Builder | null = null
  #generation = 0
  #people = 0

  private constructor(
    directory: string,
    controller: ControllerStage,
    store: ObjectStore,
    options: BuilderStageOptions,
  ) {
    this.directory = directory
    this.controller = controller
    this.#options = options
    this.store = store
    this.strategy = new ScriptStrategy(join(directory, 'images'))
  }

  static async start(options: BuilderStageOptions = {}): Promise<BuilderStage> {
    const controller = await ControllerStage.start(options.controller)
    const directory = await mkdtemp(join(tmpdir(), 'builder-'))
    const store = await openStore({ kind: 'folder', directory: join(directory, 'store') })
    madeHostKeys ??= makeHostKeys()
    await mkdir(join(directory, 'host-keys'))
    for (const [name, text] of await madeHostKeys)
      await writeFile(join(directory, 'host-keys', name), text, { mode: 0o600 })
    const stage = new BuilderStage(directory, controller, store, options)
    await stage.open()
    return stage
  }

  get builder(): Builder {
    return this.#builder!
  }

  /** With an empty working directory, as after a restart without a volume. */
  async open(): Promise<void> {
    const flags = ['--address', '127.0.0.1', '--port', '0', '--health-port', '0', '--controller', this.controller.url]
    const directories = [
      ...['--host-keys', join(this.directory, 'host-keys')],
      ...['--work', join(this.directory, `work-${++this.#generation}`)],
      // Not asked: store and strategy are the stage's.
      ...['--folder', join(this.directory, 'store'), '--registry', 'http://127.0.0.1', '--local', 'unused'],
    ]
    const config = configOf(parseConfig([...flags, ...directories], { DEIS_BUILDER_KEY: builderKey }, '0'))
    this.#builder = await Builder.start(
      { ...config, ...this.#options.config },
      {
        log: createLogger({ level: 'debug', destination: { write: line => void this.log.push(JSON.parse(line)) } }),
        store: this.store,
        strategy: (await this.#options.strategy?.(this)) ?? this.strategy,
      },
    )
  }

  async close(patience?: number): Promise<void> {
    await this.#builder?.stop(patience)
    this.#builder = null
  }

  /** A user of the controller with a key; `type` as of ssh-keygen. */
  person(type = 'ed25519', bits?: number): Promise<Person> {
    return knownPerson(this, this.controller, join(this.directory, `person${++this.#people}`), type, bits)
  }

  /** Somebody whose key the controller does not know. */
  async stranger(): Promise<Person> {
    const directory = join(this.directory, `stranger${++this.#people}`)
    return new Person(this, directory, await newKey(directory, 'ed25519'), '')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(0)
    await this.controller[Symbol.asyncDispose]()
    await this.store.close()
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** A new user of the controller, with a key; his things are in `directory`, which is made. */
export async function knownPerson(
  pushed: Pushed,
  controller: ControllerStage,
  directory: string,
  type = 'ed25519',
  bits?: number,
): Promise<Person> {
  const name = basename(directory)
  const token = await controller.user(name)
  const keyFile = await newKey(directory, type, bits)
  const body = { id: name, public: await readFile(`${keyFile}.pub`, 'utf8') }
  const { status, body: said } = await controller.call('POST', '/v2/keys/', { token, body })
  if (status !== 201) throw new Error(`the key was not taken: ${JSON.stringify(said)}`)
  return new Person(pushed, directory, keyFile, token)
}

async function newKey(directory: string, type: string, bits?: number): Promise<string> {
  await mkdir(directory)
  const keyFile = join(directory, 'key')
  const size = bits === undefined ? [] : ['-b', String(bits)]
  await run('ssh-keygen', ['-q', '-t', type, ...size, '-N', '', '-C', basename(directory), '-f', keyFile])
  return keyFile
}

/** Whoever has the builder that is pushed to. */
export interface Pushed {
  readonly builder: { readonly port: number }
}

export class Person {
  readonly directory: string
  readonly keyFile: string
  readonly token: string
  readonly #stage: Pushed

  constructor(stage: Pushed, directory: string, keyFile: string, token: string) {
    this.#stage = stage
    this.directory = directory
    this.keyFile = keyFile
    this.token = token
  }

  get sshOptions(): readonly string[] {
    const known = join(this.directory, 'known_hosts')
    return [
      ...['-F', '/dev/null', '-i', this.keyFile, '-o', 'IdentitiesOnly=yes', '-o', 'IdentityAgent=none'],
      ...['-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=accept-new', '-o', `UserKnownHostsFile=${known}`],
      ...['-o', 'LogLevel=ERROR'],
    ]
  }

  url(app: string): string {
    return `ssh://git@127.0.0.1:${this.#stage.builder.port}/${app}.git`
  }

  ssh(command: string, options: readonly string[] = []): Promise<Ended> {
    return ended(this.startSsh(command, options))
  }

  startSsh(command: string, options: readonly string[] = []): ChildProcess {
    const port = String(this.#stage.builder.port)
    return spawn('ssh', [...this.sshOptions, ...options, '-p', port, 'git@127.0.0.1', command])
  }

  /** A repository of his own, with a first commit. */
  async repository(files: Readonly<Record<string, string>>): Promise<string> {
    const path = await mkdtemp(join(this.directory, 'repo-'))
    await this.git(path, 'init', '--quiet', '--initial-branch=master')
    await this.commit(path, files)
    return path
  }

  /** Returns the commit. A file that ends with `.sh` is executable. */
  async commit(path: string, files: Readonly<Record<string, string>>): Promise<string> {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(path, name)), { recursive: true })
      await writeFile(join(path, name), text)
      if (name.endsWith('.sh')) await chmod(join(path, name), 0o755)
    }
    await this.git(path, 'add', '--all')
    await this.git(path, 'commit', '--quiet', '--allow-empty', '-m', 'change')
    return (await this.git(path, 'rev-parse', 'HEAD')).out.trim()
  }

  push(path: string, app: string, ...refs: readonly string[]): Promise<Ended> {
    return this.git(path, 'push', this.url(app), ...(refs.length > 0 ? refs : ['master']))
  }

  git(path: string, ...args: readonly string[]): Promise<Ended> {
    return ended(this.startGit(path, ...args))
  }

  startGit(path: string, ...args: readonly string[]): ChildProcess {
    const author = {
      GIT_AUTHOR_NAME: 'a',
      GIT_AUTHOR_EMAIL: 'a@b.c',
      GIT_COMMITTER_NAME: 'a',
      GIT_COMMITTER_EMAIL: 'a@b.c',
    }
    return spawn('git', ['-C', path, ...args], {
      env: {
        ...{ PATH: process.env.PATH, HOME: this.directory, GIT_CONFIG_NOSYSTEM: '1', LC_ALL: 'C.UTF-8' },
        ...author,
        GIT_SSH_COMMAND: ['ssh', ...this.sshOptions].join(' '),
      },
      detached: true,
    })
  }
}

export async function ended(child: ChildProcess): Promise<Ended> {
  const texts = { out: '', err: '' }
  child.stdout!.on('data', part => (texts.out += part))
  child.stderr!.on('data', part => (texts.err += part))
  child.stdin?.end()
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.on('error', reject).on('close', resolve)
  const code = await promise
  return { code, out: texts.out, err: plain(texts.err) }
}

export function plain(text: string): string {
  return text.replace(/\x1b\[[0-9;]*[A-Za-z]/g, '')
}

function run(program: string, args: readonly string[]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  execFile(program, args, error => (error ? reject(error) : resolve()))
  return promise
}
