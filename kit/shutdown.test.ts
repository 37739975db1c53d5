import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { onShutdown, type ShutdownSignal } from './shutdown.ts'

class Target extends EventEmitter {
  readonly exits: number[] = []

  exit(code: number): void {
    this.exits.push(code)
  }

  send(signal: ShutdownSignal): void {
    this.emit(signal, signal)
  }
}

const seconds: [first: ShutdownSignal, second: ShutdownSignal, code: number][] = [
  ['SIGTERM', 'SIGTERM', 143],
  ['SIGTERM', 'SIGINT', 130],
  ['SIGINT', 'SIGINT', 130],
  ['SIGHUP', 'SIGTERM', 143],
  ['SIGTERM', 'SIGHUP', 129],
]
for (const [first, second, code] of seconds)
  test(`${first} ends in order, ${second} after it at once`, () => {
    const target = new Target()
    const asked: string[] = []
    using _ = onShutdown(signal => asked.push(signal), target)
    target.send(first)
    expect([asked, target.exits]).toEqual([[first], []])
    target.send(second)
    expect([asked, target.exits]).toEqual([[first], [code]])
  })

test('disposing leaves no listener behind', () => {
  const target = new Target()
  onShutdown(() => {}, target)[Symbol.dispose]()
  expect(target.eventNames()).toEqual([])
})
