// The real process, killed in the middle and started again.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { FakeApi } from '#kube/fake.ts'
import { LogSink } from '#test/support/log-sink.ts'
import { appPod, PodLogs } from '#test/support/pod-logs.ts'
import { startCollector } from '#test/support/service-process.ts'
import { readPositions } from './positions.ts'

test('killed, it goes on where it was a moment before: nothing is lost, and only the last moments come twice', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'collector-'))
  await using api = await FakeApi.start()
  await using sink = await LogSink.start()
  const logs = new PodLogs(join(directory, 'pods'), api)
  const state = join(directory, 'positions.json')
  const kubeconfig = await api.kubeconfig(join(directory, 'kubeconfig'))
  const args = ['--kubeconfig', kubeconfig, '--node', 'node1', '--pods', logs.root, '--state', state]
  const start = () => startCollector([...args, '--logger', `127.0.0.1:${sink.port}`])
  const shop = appPod('shop')
  logs.create(shop)
  let written = 0
  const write = async (): Promise<void> => {
    const texts = Array.from({ length: 100 }, (_, index) => `line ${written + index}`)
    written += 100
    await logs.write(shop, 'web', ...texts)
  }
  await write()
  {
    await using first = await start()
    let settled = 0
    while (settled === 0) {
      await write()
      await delay(20)
      const positions = await readPositions(state)
      settled = [...positions.values()][0]?.offset ?? 0
    }
    await write()
    expect(await first.end('SIGKILL')).toBe('SIGKILL')
  }
  await write()
  await logs.rotate(shop, 'web', '20261129-043445')
  await write()
  await using second = await start()
  await sink.until(() => sink.received.at(-1)?.text === `line ${written - 1}`)
  const times = new Map<string, number>()
  for (const text of sink.texts) times.set(text, (times.get(text) ?? 0) + 1)
  expect(times.size).toBe(written)
  expect(times.get('line 0')).toBe(1)
  expect(await second.end('SIGTERM')).toBe(0)
  const [position] = (await readPositions(state)).values()
  const file = await readFile(join(logs.directory(shop, 'web'), '0.log'))
  expect(position?.offset).toBe(file.length)
  await rm(directory, { recursive: true })
})
