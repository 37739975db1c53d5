import { expect, test } from 'vitest'
import { Holdoff, type Timers } from './holdoff.ts'

/** A clock that stands still until it is told to go on. */
class ManualTimers implements Timers {
  #now = 0
  readonly #pending = new Map<number, { at: number; callback: () => void }>()
  #next = 1

  now(): number {
    return this.#now
  }

  setTimeout(callback: () => void, milliseconds: number): unknown {
    this.#pending.set(this.#next, { at: this.#now + milliseconds, callback })
    return this.#next++
  }

  clearTimeout(timer: unknown): void {
    this.#pending.delete(timer as number)
  }

  advance(milliseconds: number): void {
    const end = this.#now + milliseconds
    for (;;) {
      const due = [...this.#pending].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0]
      if (due === undefined) break
      this.#pending.delete(due[0])
      this.#now = due[1].at
      due[1].callback()
    }
    this.#now = end
  }
}

const cases: [name: string, marks: number[], runs: number[]][] = [
  ['one mark runs after the quiet time', [0], [2]],
  ['marks in a burst run once, after the last', [0, 1, 2], [4]],
  ['two marks far apart run twice', [0, 10], [2, 12]],
  ['a steady stream runs at the longest wait', Array.from({ length: 40 }, (_, i) => i), [25, 41]],
]
for (const [name, marks, runs] of cases)
  test(name, () => {
    const timers = new ManualTimers()
    const seen: number[] = []
    const holdoff = new Holdoff(() => seen.push(timers.now()), { quiet: 2, longest: 25, timers })
    for (const at of marks) {
      timers.advance(at - timers.now())
      holdoff.mark()
    }
    timers.advance(100)
    expect(seen).toEqual(runs)
  })

test('nothing runs after disposal', () => {
  const timers = new ManualTimers()
  let runs = 0
  const holdoff = new Holdoff(() => runs++, { quiet: 2, longest: 25, timers })
  holdoff.mark()
  holdoff[Symbol.dispose]()
  timers.advance(100)
  expect(runs).toBe(0)
})
