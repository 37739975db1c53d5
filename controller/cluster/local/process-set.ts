// The processes of one app, of all its releases, and who waits for some of them.

import { hashOf, LocalProcess, type ProcessHost, type ProcessSpec } from './process.ts'

export type Waiting =
  | { readonly kind: 'ready' }
  /** This one ended again and again. */
  | { readonly kind: 'looping'; readonly process: LocalProcess }
  | { readonly kind: 'late'; readonly process: LocalProcess }

export class ProcessSet {
  readonly #host: ProcessHost
  readonly #onChange: () => void
  readonly #processes = new Set<LocalProcess>()
  readonly #listeners = new Set<() => void>()

  /** `onChange` is called when something happened to one of them. */
  constructor(host: ProcessHost, onChange: () => void) {
    this.#host = host
    this.#onChange = onChange
  }

  /** Also those that are ending. Oldest first. */
  all(): readonly LocalProcess[] {
    return [...this.#processes]
  }

  /** Those that are to stay. */
  staying(): readonly LocalProcess[] {
    return this.all().filter(({ isStopping }) => !isStopping)
  }

  start(spec: ProcessSpec): LocalProcess {
    const process = new LocalProcess(spec, hashOf(spec), this.#host, () => this.changed())
    this.#processes.add(process)
    return process
  }

  /** Resolves when nothing of it is left. */
  async stop(process: LocalProcess): Promise<void> {
    process.serving = false
    await process.stop()
    this.#processes.delete(process)
    this.changed()
  }

  changed(): void {
    this.#onChange()
    for (const listener of this.#listeners) listener()
  }

  /**
   * Waits until all of `processes` are ready, one of them is in a crash loop (unless `patient`), or `timeout` milliseconds
   * are over (null: never). Rejects when `signal` aborts. One that is stopped meanwhile is not waited for.
   */
  whenReady(
    processes: readonly LocalProcess[],
    {
      timeout,
      patient,
      signal,
    }: { readonly timeout: number | null; readonly patient: boolean; readonly signal: AbortSignal },
  ): Promise<Waiting> {
    const { promise, resolve, reject } = Promise.withResolvers<Waiting>()
    const missing = (): LocalProcess | undefined => processes.find(({ isReady, isStopping }) => !isReady && !isStopping)
    const look = (): void => {
      const looping = patient ? undefined : processes.find(({ isLooping, isReady }) => isLooping && !isReady)
      if (looping !== undefined) resolve({ kind: 'looping', process: looping })
      else if (missing() === undefined) resolve({ kind: 'ready' })
    }
    const giveUp = (): void => reject(signal.reason)
    const late = (): void => resolve({ kind: 'late', process: missing() ?? processes[0]! })
    const timer = timeout === null ? null : setTimeout(late, timeout)
    this.#listeners.add(look)
    signal.addEventListener('abort', giveUp)
    if (signal.aborted) giveUp()
    else look()
    return promise.finally(() => {
      this.#listeners.delete(look)
      signal.removeEventListener('abort', giveUp)
      if (timer !== null) clearTimeout(timer)
    })
  }
}
