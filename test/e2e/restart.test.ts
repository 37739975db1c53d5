// `npm start` ends, in every way in which it can, and goes on where it was.

import { mkdir, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { request } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { allProcesses } from '#kit/children/procfs.ts'
import { NpmStart } from '#test/support/npm-start.ts'
import { visit } from './life.ts'
import { localSite } from './local-site.ts'
import type { Site } from './site.ts'

let directory: string
let data: string
let platform: NpmStart
let site: Site

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'restart-'))
  data = join(directory, 'data')
  platform = new NpmStart(data)
  const ports = await platform.ready()
  site = await localSite(ports, join(directory, 'home'))
  await deploy(ports.builder)
}, 60_000)

afterAll(async () => {
  await platform.stop('SIGTERM')
  await rm(directory, { recursive: true })
}, 30_000)

/** Answers with its process id; does not end when it is told to while there is the file STUBBORN. */
const server = `require('node:http').createServer((_, answer) => answer.end(String(process.pid))).listen(process.env.PORT)
process.on('SIGTERM', () => require('node:fs').existsSync(process.env.STUBBORN) || process.exit())`

function stubborn(): string {
  return join(directory, 'stubborn')
}

async function deploy(builder: number): Promise<void> {
  const credentials = { username: 'alice', password: 'a password of hers' }
  await call('auth/register/', '', { ...credentials, email: '' })
  const { token } = (await call('auth/login/', '', credentials)) as { token: string }
  const key = await readFile(join(site.home, '.ssh', 'id_ed25519.pub'), 'utf8')
  await call('keys/', token, { id: 'key', public: key })
  await call('apps/', token, { id: 'steady' })
  await call('apps/steady/config/', token, { values: { STUBBORN: stubborn() } })
  const source = join(site.home, 'steady')
  const files = { 'server.js': server, 'package.json': '{}', Procfile: 'web: exec node server.js\n' }
  await mkdir(source)
  for (const [name, text] of Object.entries(files)) await writeFile(join(source, name), text)
  const push = `push ssh://git@localhost:${builder}/steady.git master`
  for (const step of ['init -q -b master', 'add --all', 'commit -q -m app', push]) {
    const { code, err } = await site.git(source, ...step.split(' '))
    if (code !== 0) throw new Error(err)
  }
}

async function call(path: string, token: string, body: unknown): Promise<unknown> {
  const { statusCode, body: answer } = await request(`http://127.0.0.1:${site.http.port}/v2/${path}`, {
    method: 'POST',
    headers: { host: 'deis.localhost', 'content-type': 'application/json', authorization: `token ${token}` },
    body: JSON.stringify(body),
  })
  const text = await answer.text()
  if (statusCode >= 300) throw new Error(`${path}: ${statusCode} ${text}`)
  return text === '' ? null : JSON.parse(text)
}

/** The next one, on other ports. */
async function startAgain(): Promise<void> {
  platform = new NpmStart(data)
  const { http, https } = await platform.ready()
  site = { ...site, http: { ...site.http, port: http }, https: { ...site.https, port: https } }
}

/** Its process, once it answers. */
async function process(): Promise<number> {
  for (;;) {
    const { status, text } = await visit(site, 'steady.localhost')
    if (status === 200) return Number(text)
    await delay(20)
  }
}

/** What works in the data directory: the platform itself does not. */
async function left(): Promise<readonly number[]> {
  const directories = await Promise.all(
    allProcesses()
      .filter(({ isZombie }) => !isZombie)
      .map(async ({ pid }) => ({ pid, cwd: await readlink(`/proc/${pid}/cwd`).catch(() => '') })),
  )
  return directories.filter(({ cwd }) => cwd.startsWith(data)).map(({ pid }) => pid)
}

test('a second one for the same data is refused', async () => {
  const other = new NpmStart(data)
  expect(await other.ended).toBe(69)
  const { pid } = platform.child
  expect(other.stderr).toBe(`npm start: process ${pid} uses ${data} already; choose another one\n`)
})

test('Ctrl-C leaves no process behind, and the next start has the app again', async () => {
  const first = await process()
  expect(await left()).toEqual([first])
  expect(await platform.stop('SIGINT')).toBe(0)
  expect([await left(), platform.stderr]).toEqual([[], ''])
  expect(platform.stdout).toContain('deis register http')
  await startAgain()
  expect(platform.stdout).toContain('deis login http')
  expect(platform.stdout).not.toContain('deis register')
  expect(await left()).toEqual([await process()])
})

// Apps went on for ever, as the next start alone ends what is left.
test('who closes the terminal leaves no process behind', async () => {
  await process()
  expect(await platform.stop('SIGHUP')).toBe(0)
  expect(await left()).toEqual([])
  await startAgain()
})

test('one that was killed is gone on with', async () => {
  const before = await process()
  expect(await platform.stop('SIGKILL')).toBe('SIGKILL')
  expect(await left()).toEqual([before])
  await startAgain()
  const after = await process()
  expect(after).not.toBe(before)
  expect(await left()).toEqual([after])
})

test('a second Ctrl-C ends everything at once', async () => {
  await process()
  await writeFile(stubborn(), '')
  platform.child.kill('SIGINT')
  await platform.until('it was stopping', () => (platform.stdout.includes('Stopping.') ? true : null))
  // One that comes sooner is npm's, which passes on what the terminal has sent already.
  await delay(600)
  expect(await platform.stop('SIGINT')).toBe(130)
  // What is killed takes a moment.
  while ((await left()).length > 0) await delay(20)
})

test('one service that cannot start ends all', async () => {
  const other = join(directory, 'spoilt')
  await mkdir(other)
  await writeFile(join(other, 'repositories'), 'no folder')
  const spoilt = new NpmStart(other)
  expect([await spoilt.ended, spoilt.stdout]).toEqual([69, ''])
  expect(spoilt.stderr).toMatch(/^npm start: .*\/spoilt\/repositories.*\n$/)
})

test.for([
  [
    '--http-port x --admin-port 70000',
    'npm start: --http-port must be a whole number from 0 to 65535, not "x"; --admin-port',
  ],
  ['--data package.json', 'npm start: --data package.json cannot be used: EEXIST'],
  // It took a core, and said nothing.
  ['--data /proc/x/y', 'npm start: --data /proc/x/y cannot be used: ENOENT'],
] as const)('what is wrong is one line: %s', async ([args, line]) => {
  const mistaken = new NpmStart(join(directory, 'other'), args.split(' '))
  expect([await mistaken.ended, mistaken.stdout]).toEqual([64, ''])
  expect(mistaken.stderr).toMatch(/^.+\n$/)
  expect(mistaken.stderr).toContain(line)
})
