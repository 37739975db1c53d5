import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { constants, existsSync } from 'node:fs'
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { createLogger, levelOf } from './log.ts'

function logged(write: (log: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const lines: string[] = []
  write(createLogger({ level: 'debug', destination: { write: line => void lines.push(line) } }))
  return lines.map(line => JSON.parse(line))
}

test('a line says when, how grave and what', () => {
  const [line] = logged(log => log.warn({ port: 80 }, 'hello'))
  expect(line).toEqual({ level: 'warn', time: expect.stringMatching(/^\d{4}-.*Z$/), port: 80, message: 'hello' })
})

const secrets: [name: string, fields: object][] = [
  ['at the top', { key: 'SECRET' }],
  ['one level down', { certificate: { key: 'SECRET', id: 'a' } }],
  ['two levels down', { a: { b: { token: 'SECRET' } } }],
  ['a password', { user: { password: 'SECRET' } }],
  ['an authorization field', { headers: { authorization: 'Bearer SECRET' } }],
]
for (const [name, fields] of secrets)
  test(`a secret ${name} is blanked`, () => {
    const text = JSON.stringify(logged(log => log.info(fields, 'x')))
    expect(text).toContain('[redacted]')
    expect(text).not.toContain('SECRET')
  })

test('what is logged right before the process ends is on stderr', () => {
  const script = `
    import { createLogger } from ${JSON.stringify(new URL('./log.ts', import.meta.url).href)}
    createLogger().fatal('the end')
    process.exit(3)`
  const { stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  expect(status).toBe(3)
  expect(JSON.parse(stderr)).toMatchObject({ level: 'fatal', message: 'the end' })
})

const script = `
  import { createLogger, flushLog } from ${JSON.stringify(new URL('./log.ts', import.meta.url).href)}
  const log = createLogger()
  for (let i = 0; i < 100; i++) {
    log.info('x'.repeat(50_000))
    await new Promise(setImmediate)
  }
  await flushLog()
  process.stdout.write('done')
  process.exit(0)`
const unwritable: [name: string, redirection: string][] = [['closed', '2>&-']]
// Not every system has this device.
if (existsSync('/dev/full')) unwritable.push(['on a full disk', '2>/dev/full'])
for (const [name, redirection] of unwritable)
  test(`a stderr that is ${name} does not end the process`, () => {
    const command = `exec "$0" --input-type=module -e "$1" ${redirection}`
    const { stdout, status } = spawnSync('/bin/sh', ['-c', command, process.execPath, script], { encoding: 'utf8' })
    expect([stdout, status]).toEqual(['done', 0])
  })

/** Says `before`, then `after` again and again, and tells on stdout when lines are lost. */
const persistent = `
  import { createLogger, droppedLogLines } from ${JSON.stringify(new URL('./log.ts', import.meta.url).href)}
  const log = createLogger()
  let phase = 'before'
  process.stdin.on('data', () => { phase = phase === 'before' ? 'between' : 'after' })
  let told = false
  setInterval(() => {
    log.info(phase)
    if (!told && droppedLogLines() > 0) {
      told = true
      process.stdout.write('lost')
    }
  }, 10)`

async function untilLine(pipe: FileHandle, message: string): Promise<void> {
  const buffer = Buffer.alloc(64 * 1024)
  let seen = ''
  while (!seen.includes(`"message":"${message}"}\n`)) {
    // Nothing to read yet is an error here, and no writer at all the end.
    const { bytesRead } = await pipe.read(buffer, 0, buffer.length).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EAGAIN') throw error
      return { bytesRead: 0 }
    })
    seen = (seen + buffer.toString('utf8', 0, bytesRead)).slice(-buffer.length)
    if (bytesRead === 0) await new Promise(resolve => setTimeout(resolve, 5))
  }
}

for (const [name, stop] of [
  ['nobody reads holds nothing up', (reader: Readable) => reader.pause()],
  ['lost its reader does not end the process', (reader: Readable) => reader.destroy()],
] as const)
  test(`a stderr that ${name}`, async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] })
    stop(child.stderr)
    const exited = once(child, 'exit')
    expect(await text(child.stdout)).toBe('done')
    expect(await exited).toEqual([0, null])
    child.stderr.destroy()
  })

test.skipIf(process.platform === 'win32')('a stderr that gets another reader is written to again', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'log-'))
  const fifo = join(directory, 'stderr')
  expect(spawnSync('/bin/sh', ['-c', 'mkfifo "$0"', fifo]).status).toBe(0)
  const nonBlocking = constants.O_RDONLY | constants.O_NONBLOCK
  const child = spawn(
    '/bin/sh',
    ['-c', 'exec "$0" --input-type=module -e "$1" 2>"$2"', process.execPath, persistent, fifo],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  const exited = once(child, 'exit')
  try {
    const first = await open(fifo, nonBlocking)
    await untilLine(first, 'before')
    await first.close()
    child.stdin.write('gone\n')
    // The child has seen that a line failed.
    await once(child.stdout, 'data')
    const second = await open(fifo, nonBlocking)
    child.stdin.write('back\n')
    await untilLine(second, 'after')
    await second.close()
  } finally {
    child.kill()
    await exited
    await rm(directory, { recursive: true })
  }
})

// The names come from the graver to the less grave; what a router says at each is what nginx would let through.
const levelRows: [name: Parameters<typeof levelOf>[0], level: string, written: readonly string[]][] = [
  ['emerg', 'fatal', ['fatal']],
  ['alert', 'fatal', ['fatal']],
  ['crit', 'fatal', ['fatal']],
  ['error', 'error', ['error', 'fatal']],
  ['warn', 'warn', ['warn', 'error', 'fatal']],
  ['notice', 'info', ['info', 'warn', 'error', 'fatal']],
  ['info', 'info', ['info', 'warn', 'error', 'fatal']],
  ['debug', 'debug', ['debug', 'info', 'warn', 'error', 'fatal']],
]
for (const [name, level, written] of levelRows)
  test(`errorLogLevel ${name} lets through ${written.join(', ')}`, () => {
    const lines: string[] = []
    const log = createLogger({ level: levelOf(name), destination: { write: line => void lines.push(line) } })
    for (const each of ['debug', 'info', 'warn', 'error', 'fatal'] as const) log[each](each)
    expect(levelOf(name)).toBe(level)
    expect(lines.map(line => JSON.parse(line).message)).toEqual(written)
  })
