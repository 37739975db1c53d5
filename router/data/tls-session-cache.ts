// Sessions of TLS 1.2 and older for clients that resume by session id (RFC 5246 section 7.3). One cache per thread: who
// comes to another thread makes a full handshake. Tickets, which most clients use, need none of it.

import type { Server } from 'node:tls'

/** About 300 octets each. */
const maxSessions = 10_000

type Resume = (error: Error | null, session: Buffer | null) => void

export class SessionCache {
  readonly #server: Server
  /** Oldest first. OpenSSL itself refuses those that are too old. */
  readonly #sessions = new Map<string, Buffer>()
  #on = false

  constructor(server: Server) {
    this.#server = server
  }

  /** Without listeners Node does not even look for sessions. */
  turn(on: boolean): void {
    if (on === this.#on) return
    this.#on = on
    if (on) {
      this.#server.on('newSession', this.#keep)
      this.#server.on('resumeSession', this.#find)
    } else {
      this.#server.off('newSession', this.#keep)
      this.#server.off('resumeSession', this.#find)
      this.#sessions.clear()
    }
  }

  readonly #keep = (id: Buffer, session: Buffer, done: () => void): void => {
    // TLS 1.3 resumes by tickets alone.
    if (!isTls13(session)) {
      this.#sessions.set(id.toString('latin1'), session)
      if (this.#sessions.size > maxSessions) {
        for (const oldest of this.#sessions.keys()) {
          this.#sessions.delete(oldest)
          break
        }
      }
    }
    done()
  }

  readonly #find = (id: Buffer, done: Resume): void => {
    done(null, this.#sessions.get(id.toString('latin1')) ?? null)
  }
}

/** OpenSSL writes a session as SEQUENCE { INTEGER 1, INTEGER protocol version, ... }. */
function isTls13(session: Buffer): boolean {
  const first = session[1] ?? 0
  const at = first < 0x80 ? 2 : 2 + (first & 0x7f)
  return session[at + 5] === 0x03 && session[at + 6] === 0x04
}
