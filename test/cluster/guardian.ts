// Clears a cluster away when its owner is gone, however that went: the owner holds the other end of our standard input,
// and the kernel closes it when the owner ends, also by SIGKILL. An orderly stop closes it too, so there is one way to
// take a cluster down and every test goes it. Run as: node guardian.ts DIRECTORY

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { sweep } from './sweep.ts'

/** Started by the owner of a cluster's directory. */
export class Guardian {
  readonly #child: ChildProcess
  readonly #ended: Promise<string>

  constructor(directory: string) {
    // Its own session: what interrupts the owner at the terminal must not reach the guardian.
    this.#child = spawn(process.execPath, [import.meta.filename, directory], {
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: true,
    })
    // A cluster that nobody stops must not keep its owner running.
    this.#child.unref()
    for (const pipe of [this.#child.stdin, this.#child.stderr]) if (pipe instanceof Socket) pipe.unref()
    let complaint = ''
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(-4096)
    })
    this.#ended = once(this.#child, 'close').then(([code]) => (code === 0 ? '' : complaint || `ended with ${code}`))
    this.#ended.catch(() => {})
  }

  /** Has the cluster cleared away; rejects with what could not be. */
  async release(): Promise<void> {
    this.#child.ref()
    this.#child.stdin?.end()
    const complaint = await this.#ended
    if (complaint) throw new Error(`the cluster could not be cleared away:\n${complaint}`)
  }
}

if (import.meta.main) {
  const directory = process.argv[2]
  if (!directory) process.exit(64)
  process.stdin.resume()
  await once(process.stdin, 'end')
  await sweep(directory)
}
