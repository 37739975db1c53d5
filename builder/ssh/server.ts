// The SSH side: who is let in, and what he may ask for (builder contract, section 2). One `session` channel after another or
// side by side, in each a command of the closed list; no shell, no terminal, no forwarding, no subsystem.

import { createServer, type Server, type Socket } from 'node:net'
import ssh2, { type AuthContext, type Connection, type ServerChannel, type Session } from 'ssh2'
import { exitCode, StartupError } from '#kit/exit.ts'
import type { Logger } from '#kit/log.ts'
import { Admission, type AdmissionLimits } from './admission.ts'
import { algorithms } from './algorithms.ts'
import { parseCommand, type SshCommand } from './command.ts'
import { Conversation } from './conversation.ts'
import { readProxyHeader } from './opening.ts'
import { offeredKey } from './user-key.ts'

export interface Identity {
  readonly username: string
  /** Name → what tells it from an app that had the name before; null: nothing does. */
  readonly apps: ReadonlyMap<string, string | null>
}

export interface SshCall {
  readonly command: SshCommand
  readonly identity: Identity
  readonly fingerprint: string
  /** The client's. */
  readonly address: string
  readonly conversation: Conversation
}

export interface SshLimits extends AdmissionLimits {
  /** Until a client has said who he is, milliseconds. */
  readonly loginTimeout: number
  /** Keys that he may try. */
  readonly attempts: number
  /** Open at a time, of one connection. */
  readonly channels: number
  /** One after another, of one connection: the library forgets none whose command was refused. */
  readonly sessions: number
  /** Of a connection that runs no command, milliseconds. */
  readonly idleTimeout: number
  /** Between questions whether the client is still there, milliseconds; three without an answer end the connection. */
  readonly keepAlive: number
}

export const defaultSshLimits: SshLimits = {
  connections: 500,
  ofAddress: 100,
  strangers: 100,
  loginTimeout: 10_000,
  attempts: 10,
  channels: 8,
  sessions: 1000,
  idleTimeout: 60_000,
  keepAlive: 10_000,
}

export interface SshServerOptions {
  readonly hostKeys: readonly string[]
  /** Connections begin with a PROXY header. */
  readonly proxyProtocol: boolean
  readonly limits: SshLimits
  readonly log: Logger
  /** Null: nobody's key. Throws when it cannot be found out. */
  readonly identify: (fingerprint: string) => Promise<Identity | null>
  /** Ends the conversation; never rejects. */
  readonly serve: (call: SshCall) => Promise<void>
  /** For metrics. */
  readonly refused: (why: 'crowd' | 'key' | 'controller' | 'timeout') => void
}

/** What a connection has open. */
interface Open {
  channels: number
  /** Of them, how many run a command. */
  commands: number
}

export class SshServer {
  readonly #options: SshServerOptions
  readonly #admission: Admission
  readonly #listener: Server
  readonly #ssh: ssh2.Server
  readonly #sockets = new Set<Socket>()
  readonly #connections = new Map<Connection, Open>()
  #closing = false

  constructor(options: SshServerOptions) {
    this.#options = options
    this.#admission = new Admission(options.limits)
    this.#ssh = new ssh2.Server({
      hostKeys: options.hostKeys.flatMap(offeredHostKeys),
      algorithms: algorithms as unknown as ssh2.Algorithms,
      ident: 'deis-builder',
      keepaliveInterval: options.limits.keepAlive,
      keepaliveCountMax: 3,
    })
    this.#ssh.on('connection', connection => this.#connected(connection))
    this.#listener = createServer({ noDelay: true }, socket => void this.#accepted(socket))
  }

  get connections(): number {
    return this.#admission.count
  }

  get listening(): boolean {
    return this.#listener.listening
  }

  /** Returns the port. */
  async listen(address: string, port: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#listener.once('error', (error: NodeJS.ErrnoException) =>
      reject(new StartupError(exitCode.unavailable, `cannot listen: ${error.message}`, { cause: error })),
    )
    this.#listener.listen(port, address, resolve)
    await promise
    const bound = this.#listener.address()
    return typeof bound === 'object' && bound !== null ? bound.port : port
  }

  /** No new connections, no new commands; connections close as their last command ends. */
  close(): void {
    this.#closing = true
    this.#listener.close()
    for (const [connection, { commands }] of this.#connections) if (commands === 0) connection.end()
  }

  destroy(): void {
    this.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  async #accepted(socket: Socket): Promise<void> {
    this.#sockets.add(socket)
    const { limits, proxyProtocol, log, refused } = this.#options
    socket.on('error', () => {})
    let address = socket.remoteAddress ?? ''
    const timer = setTimeout(() => {
      refused('timeout')
      socket.destroy()
    }, limits.loginTimeout)
    loginTimers.set(socket, timer)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      clearTimeout(timer)
    })
    if (proxyProtocol) {
      // Counted as the router's until it is known whose it is.
      using _guest = this.#admission.admit(address)
      const header = _guest === null ? null : await readProxyHeader(socket)
      if (header === null || socket.destroyed) {
        log.debug({ address }, 'a connection without a PROXY header')
        socket.destroy()
        return
      }
      address = header.source ?? address
    }
    const guest = this.#admission.admit(address)
    if (guest === null) {
      refused('crowd')
      log.warn({ address, connections: this.#admission.count }, 'too many connections: one more is refused')
      socket.destroy()
      return
    }
    socket.once('close', () => guest[Symbol.dispose]())
    arrivals.set(socket, { address, identified: () => guest.identified() })
    this.#ssh.injectSocket(socket)
  }

  #connected(connection: Connection): void {
    const { limits, log } = this.#options
    // The library does not say whose connection it is; its version is pinned.
    const { _sock: socket } = connection as unknown as { readonly _sock: Socket }
    const { address, identified } = arrivals.get(socket)!
    const login = new Login(this.#options, address, () => connection.end())
    let idle: NodeJS.Timeout | undefined
    let sessions = 0
    const open: Open = { channels: 0, commands: 0 }
    const rest = (): void => {
      clearTimeout(idle)
      if (this.#closing) connection.end()
      else idle = setTimeout(() => connection.end(), limits.idleTimeout)
    }
    this.#connections.set(connection, open)
    connection.on('error', error => log.debug({ address, error: error.message }, 'a connection failed'))
    connection.on('authentication', context => void login.judge(context))
    connection.once('ready', () => {
      clearTimeout(loginTimers.get(socket))
      identified()
      rest()
    })
    connection.once('close', () => {
      clearTimeout(idle)
      this.#connections.delete(connection)
    })
    connection.on('session', (accept, reject) => {
      if (this.#closing || open.channels >= limits.channels) {
        reject()
        return
      }
      if (++sessions > limits.sessions) {
        reject()
        connection.end()
        return
      }
      open.channels++
      const session: Session = accept()
      let runs = false
      session.once('close', () => {
        open.channels--
        if (runs && --open.commands === 0 && this.#connections.has(connection)) rest()
      })
      this.#serve(session, login, address, () => {
        runs = true
        open.commands++
        clearTimeout(idle)
      })
    })
  }

  #serve(session: Session, login: Login, address: string, begun: () => void): void {
    const { serve } = this.#options
    // Taken and forgotten: no variable of a client reaches git.
    session.on('env', accept => accept?.())
    session.on('exec', (accept, reject, { command: raw }) => {
      const command = parseCommand(raw)
      const { identity, fingerprint } = login
      if (command === null || identity === null || this.#closing) {
        reject?.()
        return
      }
      // Undefined when a command runs in it already.
      const channel = accept() as ServerChannel | undefined
      if (channel === undefined) return
      begun()
      void serve({ command, identity, fingerprint, address, conversation: new Conversation(channel) })
    })
  }
}

/**
 * The library would offer an RSA key for SHA-1 too, whatever algorithms it is given; so it gets one for each of the digests
 * that we mean, under that name.
 */
function offeredHostKeys(text: string): { readonly key: ssh2.ParsedKey }[] {
  const parsed = ssh2.utils.parseKey(text)
  if (parsed instanceof Error) throw parsed
  const key = Array.isArray(parsed) ? (parsed[0] as ssh2.ParsedKey) : parsed
  if (key.type !== 'ssh-rsa') return [{ key }]
  return ['rsa-sha2-512', 'rsa-sha2-256'].map(type => ({ key: Object.create(key, { type: { value: type } }) }))
}

/** Of sockets that came to the library: it knows neither. */
const arrivals = new WeakMap<Socket, { readonly address: string; readonly identified: () => void }>()
const loginTimers = new WeakMap<Socket, NodeJS.Timeout>()

/** How one client says who he is. */
class Login {
  identity: Identity | null = null
  fingerprint = ''
  readonly #options: SshServerOptions
  readonly #address: string
  readonly #give: () => void
  /** What the controller said about each key: a key is asked about before it is used. */
  readonly #known = new Map<string, Identity | null>()
  #attempts = 0

  constructor(options: SshServerOptions, address: string, give: () => void) {
    this.#options = options
    this.#address = address
    this.#give = give
  }

  async judge(context: AuthContext): Promise<void> {
    if (context.method !== 'publickey') {
      // `none` is how clients ask what there is.
      if (context.method !== 'none') this.#attempts++
      this.#refuse(context)
      return
    }
    const { log, refused } = this.#options
    const key = offeredKey(context)
    if (key === null) {
      refused('key')
      log.info({ address: this.#address, type: context.key.algo }, 'a key of a kind that is not taken')
      this.#attempts++
      this.#refuse(context)
      return
    }
    const { fingerprint } = key
    let identity = this.#known.get(fingerprint)
    if (identity === undefined) {
      this.#attempts++
      try {
        identity = await this.#options.identify(fingerprint)
        this.#known.set(fingerprint, identity)
      } catch (error) {
        refused('controller')
        log.error({ address: this.#address, error: String(error) }, 'the controller could not be asked whose key it is')
        this.#refuse(context)
        return
      }
    }
    if (identity === null || (key.signed && !key.verify())) {
      refused('key')
      log.info({ address: this.#address, fingerprint }, 'a key that is nobody’s')
      this.#refuse(context)
      return
    }
    if (key.signed) {
      this.identity = identity
      this.fingerprint = fingerprint
    }
    context.accept()
  }

  #refuse(context: AuthContext): void {
    if (this.#attempts >= this.#options.limits.attempts) this.#give()
    else context.reject(['publickey'])
  }
}
