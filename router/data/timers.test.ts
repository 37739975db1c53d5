import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { Timed, TimerWheel } from './timers.ts'

let now = 0
let fired: { readonly name: string; readonly at: number }[] = []
let wheel = new TimerWheel(() => now, 100)

class Entry extends Timed {
  readonly name: string
  readonly #action: (entry: Entry) => void

  constructor(name: string, action: (entry: Entry) => void = () => {}) {
    super()
    this.name = name
    this.#action = action
  }

  override onDeadline(): void {
    fired.push({ name: this.name, at: now })
    this.#action(this)
  }
}

beforeEach(() => {
  now = 0
  fired = []
  wheel = new TimerWheel(() => now, 100)
})

/** Lets time pass in steps of `step` milliseconds. */
function pass(milliseconds: number, step = 100): void {
  const end = now + milliseconds
  while (now < end) {
    now = Math.min(now + step, end)
    wheel.advance()
  }
}

function start(name: string, delay: number, action?: (entry: Entry) => void): Entry {
  const entry = new Entry(name, action)
  wheel.set(entry, delay)
  return entry
}

/** Entries came in this order, each no earlier than its deadline and at most two ticks later. */
function expectFired(...expected: readonly (readonly [name: string, deadline: number])[]): void {
  expect(fired.map(({ name }) => name)).toEqual(expected.map(([name]) => name))
  for (const [i, [name, deadline]] of expected.entries()) {
    expect(fired[i]!.at, `${name} is early`).toBeGreaterThanOrEqual(deadline)
    expect(fired[i]!.at, `${name} is late`).toBeLessThanOrEqual(deadline + 200)
  }
}

/** The same for entries of one tick, whose order does not matter. */
function expectTogether(...expected: readonly (readonly [name: string, deadline: number])[]): void {
  fired.sort((a, b) => (a.name < b.name ? -1 : 1))
  expectFired(...expected)
}

describe('deadlines', () => {
  for (const delay of [0, 1, 99, 100, 101, 1000, 51_000, 51_100, 51_200, 51_300, 60_000, 3_600_000]) {
    test(`${delay} ms`, () => {
      start('a', delay)
      pass(delay + 300)
      expectFired(['a', delay])
    })
  }

  test('come in their order, whatever the order they were set in', () => {
    for (const delay of [900, 100, 500, 300, 700]) start(String(delay), delay)
    pass(2000)
    expectFired(['100', 100], ['300', 300], ['500', 500], ['700', 700], ['900', 900])
  })

  test('come once', () => {
    const entry = start('a', 100)
    pass(200_000)
    expect(fired).toHaveLength(1)
    expect(entry).toMatchObject({ deadline: Infinity, tick: -1 })
  })

  test('several in one tick all come', () => {
    for (const name of ['a', 'b', 'c']) start(name, 250)
    pass(1000)
    expectTogether(['a', 250], ['b', 250], ['c', 250])
  })
})

describe('a deadline that is set again', () => {
  test('later: only the last counts', () => {
    const entry = start('a', 300)
    for (let i = 0; i < 100; i++) {
      pass(100)
      wheel.set(entry, 300)
    }
    expect(fired).toEqual([])
    pass(1000)
    expectFired(['a', 10_300])
  })

  test('earlier: comes earlier', () => {
    const entry = start('a', 50_000)
    pass(1000)
    wheel.set(entry, 200)
    pass(1000)
    expectFired(['a', 1200])
  })

  test('much earlier than the wheel looks ahead', () => {
    const entry = start('a', 3_600_000)
    pass(100_000)
    wheel.set(entry, 500)
    pass(1000)
    expectFired(['a', 100_500])
  })

  test('to none', () => {
    const entry = start('a', 300)
    wheel.set(entry, Infinity)
    pass(200_000)
    expect(fired).toEqual([])
    expect(entry.tick).toBe(-1)
  })

  test('after it has come', () => {
    const entry = start('a', 300)
    pass(1000)
    wheel.set(entry, 300)
    pass(1000)
    expectFired(['a', 300], ['a', 1300])
  })
})

describe('clear and remove', () => {
  test('a cleared one does not come, and leaves the wheel when it is looked at', () => {
    const entry = start('a', 300)
    wheel.clear(entry)
    expect(entry.tick).not.toBe(-1)
    pass(1000)
    expect(fired).toEqual([])
    expect(entry.tick).toBe(-1)
  })

  test('a cleared one can be set again while it is still on the wheel', () => {
    const entry = start('a', 300)
    wheel.clear(entry)
    wheel.set(entry, 500)
    pass(1000)
    expectFired(['a', 500])
  })

  test('a removed one is off the wheel at once', () => {
    const entries = ['a', 'b', 'c'].map(name => start(name, 300))
    wheel.remove(entries[1]!)
    expect([entries[1]!.tick, entries[1]!.previous, entries[1]!.next]).toEqual([-1, null, null])
    pass(1000)
    expectTogether(['a', 300], ['c', 300])
  })

  test('removing first, last, only and absent ones leaves the others in place', () => {
    const entries = ['a', 'b', 'c', 'd'].map(name => start(name, 300))
    for (const index of [3, 0, 0]) wheel.remove(entries[index]!)
    wheel.remove(new Entry('never set'))
    pass(1000)
    expectTogether(['b', 300], ['c', 300])
  })
})

describe('handlers', () => {
  test('may set themselves again', () => {
    start('a', 100, entry => wheel.set(entry, 400))
    pass(1700)
    expectFired(['a', 100], ['a', 600], ['a', 1100], ['a', 1600])
  })

  test('may set themselves again at once, or before now, without taking the thread', () => {
    start('a', 100, entry => wheel.set(entry, 0))
    start('b', 100, entry => wheel.set(entry, -1000))
    pass(500)
    expect(fired.filter(({ name }) => name === 'a').length).toBeGreaterThanOrEqual(4)
    expect(fired.filter(({ name }) => name === 'b').length).toBeGreaterThanOrEqual(4)
    expect(fired.length).toBeLessThanOrEqual(10)
  })

  test('may remove others of the same tick', () => {
    const others: Entry[] = []
    const removeOthers = (self: Entry): void => {
      for (const other of others) if (other !== self) wheel.remove(other)
    }
    for (const name of ['a', 'b', 'c', 'd']) others.push(start(name, 300, removeOthers))
    pass(1000)
    expect(fired).toHaveLength(1)
  })

  test('may put off others of the same tick', () => {
    const others: Entry[] = []
    const putOff = (self: Entry): void => {
      for (const other of others) if (other !== self) wheel.set(other, 500)
    }
    for (const name of ['a', 'b', 'c']) others.push(start(name, 300, putOff))
    pass(600)
    expect(fired).toHaveLength(1)
  })

  test('may start new ones', () => {
    start('a', 300, () => start('b', 300))
    pass(2000)
    expectFired(['a', 300], ['b', fired[0]!.at + 300])
  })

  test('find themselves off the wheel, so that removing themselves is harmless', () => {
    start('a', 300, entry => wheel.remove(entry))
    start('b', 300)
    pass(1000)
    expectTogether(['a', 300], ['b', 300])
  })
})

describe('a clock that jumps', () => {
  test('all that was due comes at once', () => {
    for (const delay of [100, 10_000, 60_000, 500_000]) start(String(delay), delay)
    now = 400_000
    wheel.advance()
    expect(fired.map(({ name }) => name).sort()).toEqual(['100', '10000', '60000'])
    fired = []
    pass(200_000)
    expectFired(['500000', 500_000])
  })

  test('what handlers set then counts from the new time', () => {
    start('a', 100, () => start('b', 1000))
    now = 30_000
    wheel.advance()
    pass(1300)
    expectFired(['a', 30_000], ['b', 31_000])
  })

  test('what was put off in time stays put off', () => {
    const entry = start('a', 1000)
    wheel.set(entry, 40_000)
    now = 30_000
    wheel.advance()
    expect(fired).toEqual([])
    pass(11_000)
    expectFired(['a', 40_000])
  })

  test('no time has passed: nothing comes', () => {
    start('a', 0)
    for (let i = 0; i < 1000; i++) wheel.advance()
    expect(fired).toEqual([])
  })

  // A busy thread is called later each time: that must not add up.
  for (const step of [37, 60, 99, 100, 101, 149, 150, 151, 199, 333]) {
    test(`calls every ${step} ms make no deadline come later`, () => {
      start('a', 60_000)
      pass(61_000, step)
      expect(fired).toHaveLength(1)
      const { at } = fired[0]!
      expect(at).toBeGreaterThanOrEqual(60_000)
      expect(at).toBeLessThanOrEqual(60_000 + 200 + step)
    })
  }
})

const action = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), entry: fc.nat(9), delay: fc.integer({ min: 0, max: 120_000 }) }),
  fc.record({ kind: fc.constant('clear' as const), entry: fc.nat(9) }),
  fc.record({ kind: fc.constant('remove' as const), entry: fc.nat(9) }),
  fc.record({ kind: fc.constant('pass' as const), milliseconds: fc.integer({ min: 1, max: 30_000 }) }),
)

test('any course of events: each deadline in force comes, never early and never much too late', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), actions => {
      now = 0
      wheel = new TimerWheel(() => now, 100)
      const due = new Array<number>(10).fill(Infinity)
      const entries = due.map(
        (_, i) =>
          new Entry(String(i), () => {
            expect(now).toBeGreaterThanOrEqual(due[i]!)
            due[i] = Infinity
          }),
      )
      for (const step of actions) {
        if (step.kind === 'pass') {
          now += step.milliseconds
          wheel.advance()
          for (const [i, deadline] of due.entries()) expect(deadline, `entry ${i} is late`).toBeGreaterThan(now - 300)
          continue
        }
        const entry = entries[step.entry]!
        due[step.entry] = step.kind === 'set' ? now + step.delay : Infinity
        if (step.kind === 'set') wheel.set(entry, step.delay)
        else wheel[step.kind](entry)
      }
    }),
    { seed: 9112, numRuns: 500 },
  )
})
