// Gives connections that control accepted to the data threads, in turn: for systems where threads cannot share a port.

import type { Socket } from 'node:net'
import type { Transferable } from 'node:worker_threads'
import type { Logger } from '#kit/log.ts'
import type { PortName } from '../model/message.ts'
import type { DataThread } from './data-thread.ts'

export class HandOver {
  readonly #threads: readonly DataThread[]
  readonly #log: Logger
  #next = 0

  /** `threads` may change. */
  constructor(threads: readonly DataThread[], log: Logger) {
    this.#threads = threads
    this.#log = log
  }

  /** Owns the socket, which is paused; closes it when no thread takes connections. */
  take(socket: Socket, port: PortName): void {
    for (let tried = 0; tried < this.#threads.length; tried++) {
      const thread = this.#threads[this.#next++ % this.#threads.length]!
      if (!thread.accepts) continue
      try {
        // Node can move a connected socket to another thread; its types do not say so yet.
        thread.post({ kind: 'socket', port, socket }, [socket as unknown as Transferable])
        return
      } catch (error) {
        // The client went away in between.
        this.#log.debug({ err: error }, 'a connection could not be handed over')
        break
      }
    }
    socket.destroy()
  }
}
