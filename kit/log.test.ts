import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
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

test('every name of the annotation errorLogLevel is a level', () => {
  const names = ['debug', 'info', 'notice', 'warn', 'error', 'crit', 'alert', 'emerg'] as const
  expect(names.map(levelOf)).toEqual(['debug', 'info', 'info', 'warn', 'error', 'fatal', 'fatal', 'fatal'])
})
