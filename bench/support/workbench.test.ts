import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Workbench } from './workbench.ts'

const node = (name: string, script: string) => ({ name, program: process.execPath, args: ['-e', script] })

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    // An orphan that has ended is a zombie until the system's first process takes notice.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

test('output goes to files, and the exit code is told', async () => {
  await using bench = new Workbench()
  const child = await bench.start(node('talker', 'console.log("out"); console.error("err"); process.exitCode = 3'))
  expect(await child.ended).toBe(3)
  expect(child.hasEnded()).toBe(true)
  expect(readFileSync(child.stdout, 'utf8')).toBe('out\n')
  expect(readFileSync(child.stderr, 'utf8')).toBe('err\n')
})

test.runIf(process.platform === 'linux')(
  'leaving the scope ends every child, also one that ignores SIGTERM, and removes the directory',
  async () => {
    const pids: number[] = []
    let directory = ''
    {
      await using bench = new Workbench(200)
      directory = bench.directory
      const polite = await bench.start(node('polite', 'setInterval(() => {}, 1000)'))
      const ready = bench.path('ready')
      const stubborn = await bench.start(
        node(
          'stubborn',
          `process.on('SIGTERM', () => {}); fs.writeFileSync(${JSON.stringify(ready)}, ''); setInterval(() => {}, 1000)`,
        ),
      )
      await bench.untilReady(stubborn, async () => existsSync(ready))
      pids.push(polite.pid, stubborn.pid)
      expect(pids.every(isAlive)).toBe(true)
    }
    expect(pids.some(isAlive)).toBe(false)
    expect(existsSync(directory)).toBe(false)
  },
)

test('a child that ends before it is ready is an error with its last words', async () => {
  await using bench = new Workbench()
  const child = await bench.start(node('early', 'console.error("no such port"); process.exit(1)'))
  await expect(bench.untilReady(child, async () => false)).rejects.toThrow(
    /early ended before it was ready: no such port/,
  )
})

test('a child that never gets ready is an error', async () => {
  await using bench = new Workbench()
  const child = await bench.start(node('late', 'setInterval(() => {}, 1000)'))
  await expect(bench.untilReady(child, () => Promise.reject(new Error('refused')), 30)).rejects.toThrow(
    /late was not ready/,
  )
})

test('a program that does not exist is an error', async () => {
  await using bench = new Workbench()
  await expect(bench.start({ name: 'none', program: '/no/such/program', args: [] })).rejects.toThrow(/ENOENT/)
})

test.runIf(process.platform === 'linux')('children end when the run is ended by a signal', async () => {
  await using bench = new Workbench()
  const pidFile = bench.path('pid')
  const script = bench.path('run.ts')
  const module = new URL('./workbench.ts', import.meta.url).href
  writeFileSync(
    script,
    `import { writeFileSync } from 'node:fs'
     import { Workbench } from ${JSON.stringify(module)}
     const bench = new Workbench()
     const child = await bench.start({ name: 'x', program: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'] })
     writeFileSync(${JSON.stringify(pidFile)}, JSON.stringify([child.pid, bench.directory]))
     setInterval(() => {}, 1000)`,
  )
  const run = await bench.start({ name: 'run', program: process.execPath, args: [script] })
  await bench.untilReady(run, async () => existsSync(pidFile) && readFileSync(pidFile, 'utf8').endsWith(']'))
  const [pid, directory] = JSON.parse(readFileSync(pidFile, 'utf8')) as [number, string]
  expect(isAlive(pid)).toBe(true)
  process.kill(run.pid, 'SIGINT')
  expect(await run.ended).toBe(130)
  expect(isAlive(pid)).toBe(false)
  expect(existsSync(directory)).toBe(false)
})
