// A PostgreSQL server for tests, from the programs that the machine has: in a directory of its own, on a socket file
// there, gone with the process that started it.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  accessSync,
  appendFileSync,
  chownSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'

const user = 'deis'

// The server refuses to run as root.
const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Where Debian puts what is not meant for people's PATH, the newest first. */
function debianDirectories(): string[] {
  try {
    const versions = readdirSync('/usr/lib/postgresql').sort((a, b) => Number(b) - Number(a))
    return versions.map(version => join('/usr/lib/postgresql', version, 'bin'))
  } catch {
    return []
  }
}

function hasPrograms(directory: string): boolean {
  try {
    for (const program of ['initdb', 'postgres']) accessSync(join(directory, program), constants.X_OK)
    return true
  } catch {
    return false
  }
}

const programs = [...debianDirectories(), ...(process.env.PATH ?? '').split(':')].find(hasPrograms) ?? null

/** Why there can be none here; null: there can. Where DEIS_TEST_POSTGRES is `required`, not having it is an error. */
export const withoutPostgres: string | null =
  programs === null ? 'no PostgreSQL server here (Debian: apt-get install postgresql)' : null

if (withoutPostgres !== null && process.env.DEIS_TEST_POSTGRES === 'required') throw new Error(withoutPostgres)

const initOptions = ['--auth=trust', '--no-sync', '--encoding=UTF8', '--locale=C', `--username=${user}`]
const cache = fileURLToPath(new URL('../../node_modules/.cache/postgres/', import.meta.url))

function run(program: string, args: readonly string[], options: { readonly cwd?: string; readonly uid?: number } = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { ...options, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} failed: ${error?.message ?? stderr}`)
  return stdout
}

/** Files of a server that has never run, made once for each version: initdb takes longer than most tests do. */
function newServerFiles(directory: string): string {
  const version = run(join(directory, 'postgres'), ['--version'])
  const key = createHash('sha256').update(JSON.stringify([version, initOptions, nobody]))
  const path = join(cache, key.digest('hex').slice(0, 16))
  if (existsSync(path)) return path
  mkdirSync(cache, { recursive: true })
  const made = mkdtempSync(join(tmpdir(), 'deis-postgres-'))
  const aside = mkdtempSync(`${path}-`)
  try {
    if (nobody.uid !== undefined) chownSync(made, nobody.uid, nobody.gid)
    run(join(directory, 'initdb'), [...initOptions, join(made, 'data')], { ...nobody, cwd: made })
    run('cp', ['-a', join(made, 'data'), aside])
    // What has the name is whole.
    renameSync(join(aside, 'data'), path)
  } catch (error) {
    // Another one may have been quicker.
    if (!existsSync(path)) throw error
  } finally {
    for (const left of [made, aside]) rmSync(left, { recursive: true, force: true })
  }
  return path
}

/** To be reached over TLS. */
export interface PostgresTls {
  readonly chain: string
  readonly key: string
  /** Besides 127.0.0.1; who comes to it needs the password that its role has. */
  readonly address?: string
}

// The server takes the shell's place; beside it a reader of our pipe, which ends when we do, however that comes about.
const withUs = 'exec 3<&0; (cat <&3; kill -QUIT $$) >/dev/null 2>&1 & exec "$@" </dev/null 3<&-'

export class PostgresServer implements AsyncDisposable {
  /** Of the socket file, and over TLS. */
  readonly port: number
  readonly #directory: string
  /** Where it listens for TLS. */
  readonly #addresses: readonly string[]
  #process: ChildProcess | null = null
  #databases = 0

  private constructor(directory: string, port: number, addresses: readonly string[]) {
    this.#directory = directory
    this.port = port
    this.#addresses = addresses
  }

  static async start(tls: PostgresTls | null = null): Promise<PostgresServer> {
    if (programs === null) throw new Error(withoutPostgres ?? '')
    const directory = mkdtempSync(join(tmpdir(), 'deis-postgres-'))
    if (nobody.uid !== undefined) chownSync(directory, nobody.uid, nobody.gid)
    const addresses = tls === null ? [] : ['127.0.0.1', ...(tls.address === undefined ? [] : [tls.address])]
    const server = new PostgresServer(directory, tls === null ? 5432 : await freePort(), addresses)
    process.once('exit', server.#removeFiles)
    run('cp', ['-a', newServerFiles(programs), join(directory, 'data')])
    if (tls !== null) {
      appendFileSync(join(directory, 'data', 'pg_hba.conf'), 'hostssl all all all scram-sha-256\n')
      for (const [file, pem] of [
        ['server.crt', tls.chain],
        ['server.key', tls.key],
      ] as const) {
        writeFileSync(join(directory, 'data', file), pem, { mode: 0o600 })
        if (nobody.uid !== undefined) chownSync(join(directory, 'data', file), nobody.uid, nobody.gid)
      }
    }
    await server.#run()
    return server
  }

  /** A new, empty database. */
  async createDatabase(): Promise<PostgresDatabase> {
    const database = `test${++this.#databases}`
    await this.query(`create database ${database}`)
    return { kind: 'postgres', host: this.#directory, port: this.port, user, password: '', database, tls: null }
  }

  /** As an administrator, on a connection of its own. */
  async query(
    text: string,
    values: readonly unknown[] = [],
    database = 'postgres',
  ): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ host: this.#directory, port: this.port, user, database })
    await client.connect()
    try {
      return (await client.query(text, [...values])).rows
    } finally {
      await client.end()
    }
  }

  /** At once, as in a power cut: every connection breaks. */
  async kill(): Promise<void> {
    const child = this.#process
    if (child === null) return
    this.#process = null
    const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : null
    child.stdin?.end()
    await ended
  }

  async restart(): Promise<void> {
    await this.kill()
    await this.#run()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    process.off('exit', this.#removeFiles)
    this.#removeFiles()
  }

  async #run(): Promise<void> {
    const settings = {
      listen_addresses: this.#addresses.join(),
      ssl: this.#addresses.length === 0 ? 'off' : 'on',
      unix_socket_directories: this.#directory,
      // Speed instead of safety: the files do not outlive the tests.
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      max_connections: '100',
    }
    const child = spawn(
      'sh',
      [
        ...['-c', withUs, 'sh', join(programs!, 'postgres'), '-D', `${this.#directory}/data`, '-p', String(this.port)],
        ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      { ...nobody, cwd: this.#directory, stdio: ['pipe', 'ignore', 'pipe'] },
    )
    this.#process = child
    child.stdin.on('error', () => {})
    let log = ''
    const ready = Promise.withResolvers<void>()
    child.stderr.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-4096)
      if (log.includes('ready to accept connections')) ready.resolve()
    })
    child.on('error', ready.reject)
    child.on('exit', () => {
      child.stdin.end()
      ready.reject(new Error(`PostgreSQL ended:\n${log}`))
    })
    await ready.promise
  }

  readonly #removeFiles = (): void => {
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** As the store's `openStore` takes it. */
export interface PostgresDatabase {
  readonly kind: 'postgres'
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  readonly tls: null
}
