// A controller that is killed leaves processes behind; the next one ends them, and nobody else's.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Journal } from '#kit/children/journal.ts'
import { allProcesses, environmentOf, hasProcfs, identityOf, statOf } from '#kit/children/procfs.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { type AppParts, desired, LocalStage, options } from '#test/support/local-stage.ts'

failOnLeaks()

const program = fileURLToPath(new URL('../../../test/support/local-cluster-process.ts', import.meta.url))
const never = new AbortController().signal

let stage: LocalStage
const children: ChildProcess[] = []
beforeEach(async () => {
  stage = await LocalStage.prepare()
})
afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL')
  await stage[Symbol.asyncDispose]()
})

function start(parts: Partial<AppParts>, ...more: readonly 'shared'[]): ChildProcess {
  const child = spawn(
    process.execPath,
    [program, stage.directory, JSON.stringify({ image: stage.image, ...parts }), ...more],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  children.push(child)
  return child
}

async function until(child: ChildProcess, line: string): Promise<void> {
  for await (const said of createInterface({ input: child.stdout! })) if (said === line) return
  throw new Error(`it ended before it said ${line}`)
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

const isAlive = (pid: number): boolean => identityOf(pid) !== null && statOf(pid)?.isZombie !== true

const rows: [name: string, worker: string, alive: boolean][] = [
  ['simple', 'echo $$ > pids; exec sleep 1000', true],
  ['with children', 'sleep 1000 & echo $! > pids; sleep 1000 & echo $! >> pids; wait', true],
  ['that does not heed SIGTERM', `trap '' TERM; echo $$ > pids; while true; do sleep 0.05; done`, true],
]
for (const [name, worker] of rows)
  test(`a process that was left behind is ended: ${name}`, async () => {
    const values = { KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS: '0' }
    const parts = { structure: { worker: 2 }, procfile: { worker }, config: { values } }
    const first = start(parts)
    await until(first, 'up')
    await kill(first)
    const pids = (await readFile(join(stage.image, 'pids'), 'utf8')).trim().split('\n').map(Number)
    expect(pids.map(isAlive)).toEqual(pids.map(() => true))
    const cluster = await stage.open({ times: { leftOvers: 300 } })
    expect(cluster.leftOvers).toEqual([expect.stringMatching(/^shop-worker-/), expect.stringMatching(/^shop-worker-/)])
    expect(pids.map(isAlive)).toEqual(pids.map(() => false))
    expect(await readdir(join(stage.state, 'processes'))).toEqual([])
    expect(await cluster.apps()).toEqual([{ id: 'shop', uuid: desired({ image: '' }).uuid }])
    await cluster.deploy(desired({ image: stage.image, ...parts }), options())
  })

test.runIf(statOf(process.pid) !== null)('those whose leader is gone are ended all the same', async () => {
  // The leader waits for nobody and is ended by the test; what it started stays.
  const worker = 'sleep 1000 & echo $! > pids; wait'
  const first = start({ structure: { worker: 1 }, procfile: { worker } })
  await until(first, 'up')
  await kill(first)
  const pid = Number(await readFile(join(stage.image, 'pids'), 'utf8'))
  process.kill(statOf(pid)!.group, 'SIGKILL')
  const cluster = await stage.open()
  expect(cluster.leftOvers).toHaveLength(1)
  expect(isAlive(pid)).toBe(false)
})

test.runIf(hasProcfs)('whenever it is killed, nothing is left after the next start', { timeout: 60_000 }, async () => {
  const worker = 'sleep 1000 & exec sleep 1000'
  const marker = `TMPDIR=${join(stage.state, 'files')}/`
  const left = () =>
    allProcesses().filter(({ pid, isZombie }) => !isZombie && environmentOf(pid).some(each => each.startsWith(marker)))
  for (const started of [1, 3, 5]) {
    const controller = start({ structure: { worker: 5 }, procfile: { worker } })
    await once(createInterface({ input: controller.stdout! }), 'line')
    while ((await readdir(join(stage.state, 'processes'))).length < started) await new Promise(setImmediate)
    await kill(controller)
    const cluster = await stage.open()
    // Who was still at the gate sees that it is shut.
    while (left().length > 0) await delay(5)
    await cluster.close()
  }
})

test('what processes wrote goes with them, and so does a copy of an image that was half made', async () => {
  const files = join(stage.state, 'files')
  await Promise.all(Array.from({ length: 1_000 }, (_, i) => writeFile(join(stage.image, `${i}`), '')))
  const parts = { structure: { worker: 2 }, procfile: { worker: 'echo x > written; exec sleep 1000' } }
  const half = start(parts, 'shared')
  await once(createInterface({ input: half.stdout! }), 'line')
  while ((await readdir(files)).length === 0) await new Promise(setImmediate)
  await kill(half)
  expect(await readdir(files)).not.toEqual([])
  const whole = start(parts, 'shared')
  await until(whole, 'up')
  expect(await readdir(files)).toHaveLength(2)
  await kill(whole)
  const cluster = await stage.open()
  expect(cluster.leftOvers).toHaveLength(2)
  expect(await readdir(files)).toEqual([])
})

test('a process that only has the id of one of ours is left alone', async () => {
  const other = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' })
  children.push(other)
  await once(other, 'spawn')
  const directory = join(stage.state, 'processes')
  await mkdir(directory, { recursive: true })
  const entry = { pid: other.pid, identity: 'some other time', app: 'shop', name: 'shop-web-1' }
  await writeFile(join(directory, `${other.pid}.json`), JSON.stringify(entry))
  await writeFile(join(directory, '1.json'), JSON.stringify({ ...entry, pid: 1, identity: identityOf(1) }))
  await writeFile(join(directory, '2.json'), '{"pid":')
  expect(await new Journal(directory).clear(0)).toEqual([])
  expect(isAlive(other.pid!)).toBe(true)
  expect(await readdir(directory)).toEqual([])
})

test('what cannot be written to the journal does not run', async () => {
  await stage.open()
  await writeFile(join(stage.directory, 'file'), '')
  const { cluster } = stage
  const app = desired({ image: stage.image, structure: { worker: 1 }, procfile: { worker: 'touch ran; sleep 1000' } })
  await rm(join(stage.state, 'processes'), { recursive: true })
  await expect(cluster.deploy(app, options(never))).rejects.toThrow(
    /it cannot be started \(the journal cannot be written: ENOENT\)/,
  )
  expect(existsSync(join(stage.image, 'ran'))).toBe(false)
})
