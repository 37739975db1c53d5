import { expect, test } from 'vitest'
import { onShutdown, type ShutdownSignal, type SignalTarget } from '#kit/shutdown.ts'
import { withoutEchoes } from './signals.ts'

class Process implements SignalTarget {
  readonly listeners = new Map<ShutdownSignal, (signal: ShutdownSignal) => void>()
  readonly codes: number[] = []

  on(signal: ShutdownSignal, listener: (signal: ShutdownSignal) => void): void {
    this.listeners.set(signal, listener)
  }

  off(signal: ShutdownSignal, listener: (signal: ShutdownSignal) => void): void {
    if (this.listeners.get(signal) === listener) this.listeners.delete(signal)
  }

  exit(code: number): void {
    this.codes.push(code)
  }
}

/** SIGINT at these milliseconds. */
const rows: [name: string, times: readonly number[], codes: readonly number[]][] = [
  ['once', [0], []],
  ['one key through npm', [0, 3], []],
  ['one key through npm on a busy machine', [0, 450], []],
  ['two keys', [0, 2, 900, 903], [130, 130]],
]
for (const [name, times, codes] of rows)
  test(name, () => {
    let now = 1000
    let asked = 0
    const target = new Process()
    const listening = onShutdown(
      () => void asked++,
      withoutEchoes(target, () => now),
    )
    for (const time of times) {
      now = 1000 + time
      target.listeners.get('SIGINT')?.('SIGINT')
    }
    expect([asked, target.codes]).toEqual([1, codes])
    listening[Symbol.dispose]()
    expect(target.listeners.size).toBe(0)
  })
