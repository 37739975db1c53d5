import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { startPods } from '../support/pods.ts'
import { Workbench } from '../support/workbench.ts'
import { measureTransfer, transfers } from './transfer.ts'

test.runIf(process.platform === 'linux')(
  'every transfer moves all bytes, and memory is read',
  async () => {
    await using bench = new Workbench()
    const pods = await startPods(bench, '127.0.0.1')
    const target = { port: pods.a, host: 'a.example', routerPid: process.pid }
    for (const transfer of transfers) {
      const stall = transfer.stall === 0 ? 0 : 30
      const outcome = await measureTransfer({ ...transfer, stall }, target, 1_000_000)
      expect(outcome.bytes).toBe(1_000_000)
      expect(outcome.before).toBeGreaterThan(1_000_000)
      expect(outcome.peak).toBeGreaterThanOrEqual(outcome.before)
    }
  },
  30_000,
)

test('a body that does not arrive whole is an error', async () => {
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => response.end('17'))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const target = { port: (server.address() as AddressInfo).port, host: 'a.example', routerPid: process.pid }
  for (const transfer of transfers.filter(({ stall }) => stall === 0))
    await expect(measureTransfer(transfer, target, 100_000)).rejects.toThrow(/of 100000 bytes arrived/)
  server.closeAllConnections()
  await once(server.close(), 'close')
})
