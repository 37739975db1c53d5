// A command that is run once, in an app's release, to its end.

import type { Readable } from 'node:stream'
import { ChildGroup, exitCodeOf } from '#kit/children/child-group.ts'
import { ClusterError, type RunResult } from '../cluster.ts'
import { maxOutput, runOutput } from '../run-output.ts'
import { environmentAt, type ProcessHost, type ProcessSpec, randomSuffix } from './process.ts'

/** Throws ClusterError `failed` when it takes longer than `longest` milliseconds, or the reason of the signal. */
export async function runOnce(
  spec: ProcessSpec,
  host: Pick<ProcessHost, 'journal' | 'files' | 'ports' | 'memory'>,
  longest: number,
  signal: AbortSignal,
): Promise<RunResult> {
  signal.throwIfAborted()
  const { journal, ports, memory } = host
  const { app, command } = spec
  const name = `${app}-run-${randomSuffix()}`
  await using files = await host.files.make(spec, signal)
  const port = spec.configuredPort === null ? null : await ports.take()
  const collected = new Collected()
  const listen = (stream: Readable): void => void stream.on('data', (chunk: Buffer) => collected.push(chunk))
  const group = new ChildGroup({
    journal,
    app,
    name,
    command,
    directory: files.directory,
    environment: environmentAt(spec, files, port),
    output: { kind: 'joined', listen },
  })
  const late = AbortSignal.timeout(longest)
  const over = AbortSignal.any([signal, late])
  const end = (): void => group.kill()
  over.addEventListener('abort', end)
  if (over.aborted) end()
  let isTooLarge = false
  if (spec.memory !== null && group.pid !== 0)
    memory.watch(group.pid, spec.memory, () => {
      isTooLarge = true
      group.kill()
    })
  const exit = await group.exited
  over.removeEventListener('abort', end)
  memory.forget(group.pid)
  if (port !== null) ports.giveBack(port)
  signal.throwIfAborted()
  if (late.aborted) throw failed(name, `it was ended after ${longest / 60_000} minutes`)
  if (exit.kind === 'unstarted') throw failed(name, `it cannot be started (${exit.reason})`, exit.cause)
  if (isTooLarge) collected.push(Buffer.from('\nMemory quota exceeded\n'))
  return { exitCode: exitCodeOf(exit), ...runOutput(collected.octets()) }
}

/** Controller contract, section 5, Apps: `<pod> (run): <why>`. */
function failed(name: string, why: string, cause?: unknown): ClusterError {
  return new ClusterError('failed', `${name} (run): ${why}`, { cause })
}

class Collected {
  readonly #chunks: Buffer[] = []
  #length = 0

  /** What is too much is read all the same: who writes it must not wait for ever. */
  push(chunk: Buffer): void {
    // One octet more, by which it is seen that there was more.
    const piece = chunk.subarray(0, maxOutput + 1 - this.#length)
    this.#length += piece.length
    if (piece.length > 0) this.#chunks.push(piece)
  }

  octets(): Buffer {
    return Buffer.concat(this.#chunks)
  }
}
