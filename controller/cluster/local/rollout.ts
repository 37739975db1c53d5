// From the processes that run to those that are wanted, without a moment in which fewer answer: the new ones start beside
// the old ones, a batch at a time; when all of them are ready, traffic turns to them; then the old ones are told to end.
// When the new ones do not come up they are taken away again, and the old ones never knew.

import { setTimeout as delay } from 'node:timers/promises'
import type { Structure } from '../../domain/app.ts'
import { ClusterError, type DeployOptions } from '../cluster.ts'
import type { LocalProcess, ProcessSpec } from './process.ts'
import { hashOf } from './process.ts'
import type { ProcessSet, Waiting } from './process-set.ts'

export interface Wanted {
  readonly spec: ProcessSpec
  readonly count: number
}

export interface RolloutOptions extends DeployOptions {
  /** Processes that start at the same time. */
  readonly batch: number
  /** How long each batch may take, milliseconds. */
  readonly timeout: number
  /** The process type that gets traffic; null: none does. */
  readonly routed: string | null
  /** Tells the router where traffic goes now. Throws when it cannot be told. */
  readonly publish: () => void
  /** How long the router may take to hear that traffic turns, milliseconds. */
  readonly handover: number
  /** Ends of processes nobody waits for. */
  readonly onEnding: (ended: Promise<void>) => void
}

interface Plan {
  readonly kept: readonly LocalProcess[]
  readonly missing: readonly ProcessSpec[]
}

/** Throws ClusterError `failed` with the cause, or the reason of the signal. */
export async function rollOut(set: ProcessSet, wanted: readonly Wanted[], options: RolloutOptions): Promise<void> {
  const { kept, missing } = plan(set, wanted)
  await startBeside(set, missing, options, async fresh => {
    await allReady(set, kept, options)
    await turnTo(set, [...kept, ...fresh], others(set, [...kept, ...fresh]), options)
  })
}

/** New ones of the same kind in the place of `leaving`; returns them. Throws as `rollOut` does. */
export async function replace(
  set: ProcessSet,
  leaving: readonly LocalProcess[],
  options: RolloutOptions,
): Promise<readonly LocalProcess[]> {
  const specs = leaving.map(({ spec }) => spec)
  return await startBeside(set, specs, options, fresh => turnTo(set, fresh, leaving, options))
}

/** Takes what it started away again when something goes wrong, also in `turn`. */
async function startBeside(
  set: ProcessSet,
  missing: readonly ProcessSpec[],
  options: RolloutOptions,
  turn: (fresh: readonly LocalProcess[]) => Promise<void>,
): Promise<readonly LocalProcess[]> {
  const fresh: LocalProcess[] = []
  try {
    for (let at = 0; at < missing.length; at += options.batch) {
      const batch = missing.slice(at, at + options.batch)
      options.onProgress(`starting ${namesOf(batch)}`)
      const started = batch.map(spec => set.start(spec))
      fresh.push(...started)
      await allReady(set, started, options)
    }
    await turn(fresh)
    return fresh
  } catch (error) {
    for (const process of fresh) options.onEnding(set.stop(process))
    throw error
  }
}

/**
 * The same without waiting, and without giving up: what does not come up is tried again and again. Returns how many were
 * started; `finished` resolves when the former ones were told to end.
 */
export function bringBack(
  set: ProcessSet,
  wanted: readonly Wanted[],
  options: RolloutOptions,
): { readonly started: Structure; readonly ended: number; readonly finished: Promise<void> } {
  const { kept, missing } = plan(set, wanted)
  const fresh = missing.map(spec => set.start(spec))
  // Those that are there already may be of another release, and go on until these are ready.
  const staying = [...kept, ...fresh]
  const leaving = others(set, staying)
  const hadTraffic = set.staying().some(({ serving }) => serving)
  if (!hadTraffic) for (const process of staying) process.serving = process.spec.type === options.routed
  const finish = async (): Promise<void> => {
    await set.whenReady(staying, { timeout: null, patient: true, signal: options.signal })
    // Whoever took over in this very moment has a list of his own.
    options.signal.throwIfAborted()
    await turnTo(set, staying, others(set, staying), options)
  }
  return { started: countsOf(missing), ended: leaving.length, finished: finish() }
}

function plan(set: ProcessSet, wanted: readonly Wanted[]): Plan {
  const kept: LocalProcess[] = []
  const missing: ProcessSpec[] = []
  for (const { spec, count } of wanted) {
    const hash = hashOf(spec)
    // The ready ones first, then the oldest.
    const same = set
      .staying()
      .filter(process => process.spec.type === spec.type && process.hash === hash)
      .sort((a, b) => Number(b.isReady) - Number(a.isReady))
      .slice(0, count)
    kept.push(...same)
    for (let i = same.length; i < count; i++) missing.push(spec)
  }
  return { kept, missing }
}

async function allReady(set: ProcessSet, some: readonly LocalProcess[], options: RolloutOptions): Promise<void> {
  const { signal, timeout } = options
  const result = await set.whenReady(some, { signal, timeout, patient: false })
  if (result.kind !== 'ready') throw new ClusterError('failed', explain(result, timeout))
}

function explain(result: Exclude<Waiting, { kind: 'ready' }>, timeout: number): string {
  const { process } = result
  const { type } = process.spec
  return result.kind === 'looping'
    ? `${type} does not come up, it ended again and again: ${process.explain()}`
    : `${type} is not up after ${timeout / 1_000} s: ${process.explain()}`
}

async function turnTo(
  set: ProcessSet,
  staying: readonly LocalProcess[],
  leaving: readonly LocalProcess[],
  options: RolloutOptions,
): Promise<void> {
  const before = [...staying, ...leaving].map(process => ({ process, serving: process.serving }))
  const hadTraffic = leaving.some(({ serving, isReady }) => serving && isReady)
  for (const process of staying) process.serving = process.spec.type === options.routed
  for (const process of leaving) process.serving = false
  try {
    options.publish()
  } catch (error) {
    for (const { process, serving } of before) process.serving = serving
    throw error
  }
  if (leaving.length === 0) return
  options.onProgress(`ending ${namesOf(leaving.map(({ spec }) => spec))}`)
  // The router keeps requests coming until it has read of it. Nothing is given up from here on.
  if (hadTraffic) await delay(options.handover)
  for (const process of leaving) options.onEnding(set.stop(process))
}

function others(set: ProcessSet, staying: readonly LocalProcess[]): readonly LocalProcess[] {
  return set.staying().filter(process => !staying.includes(process))
}

function countsOf(specs: readonly ProcessSpec[]): Structure {
  const counts: Record<string, number> = {}
  for (const { type } of specs) counts[type] = (counts[type] ?? 0) + 1
  return counts
}

/** `2 web, 1 worker` */
export function namesOf(specs: readonly ProcessSpec[]): string {
  return Object.entries(countsOf(specs))
    .map(([type, count]) => `${count} ${type}`)
    .join(', ')
}
