// How the micro benches time a function of the hot path: several rounds of many calls in one warm process, and the
// median of the rounds. Good for comparing two versions of one function on one machine, and for nothing else.

import { spread } from '#bench/support/statistics.ts'

const warmUp = 300
const roundLength = 40
const rounds = 41

/** Runs `work` for a few seconds and prints nanoseconds per call: median, least and greatest of the rounds. */
export function report(name: string, work: () => void): void {
  const calls = Math.max(1, Math.round(callsWithin(work, warmUp) * (roundLength / warmUp)))
  const results: number[] = []
  for (let round = 0; round < rounds; round++) {
    const start = process.hrtime.bigint()
    for (let i = 0; i < calls; i++) work()
    results.push(Number(process.hrtime.bigint() - start) / calls)
  }
  const { median, min, max } = spread(results)!
  const nanoseconds = (value: number): string => value.toFixed(value < 100 ? 1 : 0)
  const line = `${name.padEnd(44)} ${nanoseconds(median).padStart(8)} ns/op   (${nanoseconds(min)} to ${nanoseconds(max)})`
  process.stdout.write(`${line}\n`)
}

/** How often `work` runs in so many milliseconds; warms it up, too. */
function callsWithin(work: () => void, milliseconds: number): number {
  const end = performance.now() + milliseconds
  let calls = 0
  while (performance.now() < end) {
    for (let i = 0; i < 100; i++) work()
    calls += 100
  }
  return calls
}
