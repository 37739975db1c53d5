// Where the hooks of our own git children ask. Each push has a secret that counts once, in the environment of its child; the
// socket is in a directory that nobody else can enter.

import { randomBytes, timingSafeEqual } from 'node:crypto'
import { chmod, lstat, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const program = join(import.meta.dirname, 'pre-receive.ts')

const prefix = 'builder-hook-'
/** Before, one whose socket nobody listens at may be one that is being made, milliseconds. */
const leastAge = 60_000

/** Octets that a hook may send: secret, paths, and the refs. */
const mostGreeting = 256 * 1024
const greetingTimeout = 10_000
/** Octets for a pusher who does not read; beyond it lines are left out. */
const mostWaiting = 1024 * 1024

export interface RefUpdate {
  readonly old: string
  readonly new: string
  readonly ref: string
}

/** Where git keeps what was pushed until the hook has agreed. */
export interface Quarantine {
  readonly objects: string
  readonly alternates: string
}

export interface HookCall {
  readonly updates: readonly RefUpdate[]
  readonly quarantine: Quarantine
  /** A line that begins at the first column: it hides git's `remote: `. */
  readonly say: (line: string) => void
  readonly complain: (line: string) => void
  /** The hook is gone: refs will not move. */
  readonly gone: AbortSignal
}

/** True: the refs may move. */
export type HookHandler = (call: HookCall) => Promise<boolean>

export interface ExpectedHook extends Disposable {
  /** For the child whose hook it is. */
  readonly env: Readonly<Record<string, string>>
  /** For the child: where its hooks are. */
  readonly config: Readonly<Record<string, string>>
}

export class HookServer {
  readonly #directory: string
  readonly #server: Server
  readonly #expected = new Map<string, HookHandler>()
  readonly #sockets = new Set<Socket>()

  private constructor(directory: string) {
    this.#directory = directory
    this.#server = createServer({ allowHalfOpen: true }, socket => void this.#answer(socket))
  }

  static async start(): Promise<HookServer> {
    // Not in the working directory: the path of a socket has 107 octets at most.
    await removeAbandoned()
    const directory = await mkdtemp(join(tmpdir(), prefix))
    const server = new HookServer(directory)
    const hooks = join(directory, 'hooks')
    await mkdir(hooks)
    // Paths come by environment, so that none has to be quoted.
    const script = '#!/bin/sh\nexec "$DEIS_HOOK_NODE" "$DEIS_HOOK_PROGRAM"\n'
    await writeFile(join(hooks, 'pre-receive'), script, { mode: 0o755 })
    await chmod(join(hooks, 'pre-receive'), 0o755)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.#server.once('error', reject)
    server.#server.listen(server.#path, resolve)
    await promise
    return server
  }

  get #path(): string {
    return join(this.#directory, 'socket')
  }

  /** To be disposed of when the child has ended. */
  expect(handler: HookHandler): ExpectedHook {
    const secret = randomBytes(32).toString('hex')
    this.#expected.set(secret, handler)
    return {
      env: {
        DEIS_HOOK_SOCKET: this.#path,
        DEIS_HOOK_SECRET: secret,
        DEIS_HOOK_NODE: process.execPath,
        DEIS_HOOK_PROGRAM: program,
      },
      config: { 'core.hooksPath': join(this.#directory, 'hooks') },
      [Symbol.dispose]: () => void this.#expected.delete(secret),
    }
  }

  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    for (const socket of this.#sockets) socket.destroy()
    await promise
    await rm(this.#directory, { recursive: true, force: true })
  }

  async #answer(socket: Socket): Promise<void> {
    this.#sockets.add(socket)
    const gone = new AbortController()
    socket.on('error', () => {})
    socket.once('close', () => {
      this.#sockets.delete(socket)
      gone.abort(new Error('the hook is gone'))
    })
    const greeting = await readGreeting(socket)
    const handler = greeting === null ? null : this.#take(greeting.secret)
    if (greeting === null || handler === null) {
      socket.destroy()
      return
    }
    let leftOut = 0
    const put = (message: readonly [string, string | number]): void => {
      if (socket.writableLength > mostWaiting && message[0] !== 'exit') leftOut++
      else if (!socket.destroyed) socket.write(`${JSON.stringify(message)}\n`)
    }
    const worked = await handler({
      updates: greeting.updates,
      quarantine: greeting.quarantine,
      // Column 1, as the builder always did it.
      say: line => put(['out', `\x1b[1G${line}`]),
      complain: line => put(['err', line]),
      gone: gone.signal,
    }).catch(() => false)
    if (leftOut > 0) put(['err', `(${leftOut} lines were left out: they were not taken in time)`])
    put(['exit', worked ? 0 : 1])
    socket.end()
  }

  #take(secret: string): HookHandler | null {
    for (const [expected, handler] of this.#expected)
      if (secret.length === expected.length && timingSafeEqual(Buffer.from(secret), Buffer.from(expected))) {
        this.#expected.delete(expected)
        return handler
      }
    return null
  }
}

/** What builders left that were killed. */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(prefix)) continue
    const directory = join(tmpdir(), name)
    const found = await lstat(directory).catch(() => null)
    if (found === null || !found.isDirectory() || Date.now() - found.mtimeMs < leastAge) continue
    if (await isDead(join(directory, 'socket'))) await rm(directory, { recursive: true, force: true }).catch(() => {})
  }
}

/** Whether it is a socket that nobody listens at. One that we may not ask is somebody else's. */
function isDead(socket: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const asked = connect(socket)
  asked.once('connect', () => resolve(false))
  asked.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  return promise.finally(() => asked.destroy())
}

interface Greeting {
  readonly secret: string
  readonly quarantine: Quarantine
  readonly updates: readonly RefUpdate[]
}

async function readGreeting(socket: Socket): Promise<Greeting | null> {
  const timer = setTimeout(() => socket.destroy(), greetingTimeout)
  try {
    const parts: Buffer[] = []
    let size = 0
    const { promise, resolve } = Promise.withResolvers<void>()
    socket.on('data', (part: Buffer) => {
      size += part.length
      if (size > mostGreeting) socket.destroy()
      else parts.push(part)
    })
    socket.once('end', resolve).once('close', resolve)
    await promise
    if (socket.destroyed) return null
    const [first = '', ...lines] = Buffer.concat(parts).toString('latin1').split('\n')
    const { secret, objects, alternates } = JSON.parse(first) as Record<string, unknown>
    if (typeof secret !== 'string' || typeof objects !== 'string' || typeof alternates !== 'string') return null
    if (!/^[\x21-\x7e]*$/.test(secret)) return null
    const updates = lines
      .filter(line => line !== '')
      .map(line => {
        const [old = '', fresh = '', ...ref] = line.split(' ')
        return { old, new: fresh, ref: ref.join(' ') }
      })
    return { secret, quarantine: { objects, alternates }, updates }
  } catch {
    return null
  } finally {
    clearTimeout(timer)
  }
}
