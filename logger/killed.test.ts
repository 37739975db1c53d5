// A logger that is killed under load has lost at most what came in its last second, and nothing before it.

import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startLogger } from '#test/support/service-process.ts'
import { encodeLine } from './syslog/encode.ts'
import { frameMessage } from './syslog/framing.ts'

const apps = ['a', 'b', 'c']
const lastSecond = 1000

async function numbersOf(port: number, app: string): Promise<number[]> {
  const answer = await fetch(`http://127.0.0.1:${port}/logs/${app}?log_lines=10000`)
  const text = await answer.text()
  return [...text.matchAll(/: line (\d+) x*$/gm)].map(match => Number(match[1]))
}

test('kill -9 under load', { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'logger-killed-'))
  try {
    let next = 0
    /** When the line of this number was sent. */
    const sentAt: number[] = []
    await using logger = await startLogger(['--folder', folder])
    const { tcpPort, httpPort } = logger.up
    const socket = connect(tcpPort, '127.0.0.1').on('error', () => {})
    await once(socket, 'connect')
    const sending = (async () => {
      while (!socket.destroyed) {
        for (let i = 0; i < 10; i++, next++) {
          for (const app of apps) {
            const text = `line ${next} ${'x'.repeat(80)}`
            const line = { app, source: 'app', process: 'web.v1.a', time: Date.now(), text } as const
            socket.write(frameMessage(encodeLine(line, 'h')))
          }
          sentAt[next] = performance.now()
        }
        await delay(5)
      }
    })()
    // More than a second's lines have arrived, and more are on their way.
    const newest = async (): Promise<number> => sentAt[(await numbersOf(httpPort, 'a')).at(-1) ?? 0]! - sentAt[0]!
    await expect.poll(newest, { timeout: 15_000 }).toBeGreaterThan(1.5 * lastSecond)
    const killedAt = performance.now()
    await logger.end('SIGKILL')
    socket.destroy()
    await sending
    await using again = await startLogger(['--folder', folder])
    for (const app of apps) {
      const kept = await numbersOf(again.up.httpPort, app)
      // Without a gap, and up to a second before the end.
      expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => i))
      const firstLost = sentAt[kept.length]
      if (firstLost !== undefined) expect(firstLost).toBeGreaterThan(killedAt - lastSecond)
    }
    expect(await again.end('SIGTERM')).toBe(0)
  } finally {
    await rm(folder, { recursive: true })
  }
})
