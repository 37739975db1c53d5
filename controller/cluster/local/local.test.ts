// Real processes, started and ended by a cluster of this machine.

import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { join, relative } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { hasProcfs, statOf } from '#kit/children/procfs.ts'
import type { EndpointSlice } from '#kube/types.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { type AppParts, desired, LocalStage, options, serve } from '#test/support/local-stage.ts'
import type { AppId } from '../../domain/app.ts'
import { ClusterError, type RunResult } from '../cluster.ts'
import type { LocalOptions } from './local.ts'

failOnLeaks()

let stage: LocalStage
beforeEach(async () => {
  stage = await LocalStage.prepare()
})
afterEach(() => stage[Symbol.asyncDispose]())

const shop = 'shop' as AppId
const never = new AbortController().signal
const open = (times: LocalOptions['times'] = {}) => stage.open({ times })
const app = (parts: Partial<AppParts> = {}) => desired({ image: stage.image, ...parts })
const deploy = (parts: Partial<AppParts> = {}, signal = never) => stage.cluster.deploy(app(parts), options(signal))

async function slices(id = 'shop'): Promise<readonly number[]> {
  const file = await readFile(join(stage.manifests, `endpoints-${id}.yaml`), 'utf8')
  return parseAllDocuments(file).flatMap(document => {
    const slice = document.toJS() as EndpointSlice | null
    return slice?.ports?.map(({ port }) => port!) ?? []
  })
}

async function ask(port: number): Promise<string> {
  const [response] = (await once(get({ host: '127.0.0.1', port, agent: false }), 'response')) as [IncomingMessage]
  return await text(response)
}

const states = async () =>
  (await stage.cluster.processes(shop, never)).map(({ type, version, state }) => [type, version, state])
const names = async () => (await stage.cluster.processes(shop, never)).map(({ name }) => name)

function isAlive(pid: number): boolean {
  if (hasProcfs) return statOf(pid)?.isZombie === false
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Until something that no event tells. */
async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise(resolve => setTimeout(resolve, 10))
}

test('a release runs, each process at a port of its own that the router is told', async () => {
  await open()
  await stage.cluster.create(app(), never)
  await deploy({ structure: { web: 2 }, config: { values: { TEXT: 'one' } } })
  const ports = await slices()
  expect(new Set(ports).size).toBe(2)
  expect(await Promise.all(ports.map(ask))).toEqual(ports.map(port => `one of ${port}`))
  const processes = await stage.cluster.processes(shop, never)
  for (const { name, state, type, version } of processes) {
    expect(name).toMatch(/^shop-web-[0-9a-f]{10}-[a-z0-9]{5}$/)
    expect([type, version, state]).toEqual(['web', 2, 'up'])
  }
  expect(
    stage.lines
      .filter(({ text }) => text === 'listening')
      .map(({ process }) => process)
      .sort(),
  ).toEqual(processes.map(({ name }) => `web.v2.${name.slice(-5)}`).sort())
})

test('a new release takes over when it is up, and not before', async () => {
  await open()
  await deploy({ config: { values: { TEXT: 'old' } } })
  const [old] = await slices()
  const progress: string[] = []
  const next = app({ version: 3, structure: { web: 2 }, config: { values: { TEXT: 'new', SLOW: '300' } } })
  const deploying = stage.cluster.deploy(next, { signal: never, onProgress: message => progress.push(message) })
  await until(async () => (await states()).length === 3)
  expect(await slices()).toEqual([old])
  await deploying
  const ports = await slices()
  expect(ports).toHaveLength(2)
  expect(ports).not.toContain(old)
  expect(await Promise.all(ports.map(ask))).toEqual(ports.map(port => `new of ${port}`))
  await stage.said(/^ending$/)
  await until(async () => (await states()).length === 2)
  expect(await states()).toEqual([
    ['web', 3, 'up'],
    ['web', 3, 'up'],
  ])
  expect(progress).toEqual(['starting 2 web', 'ending 1 web'])
})

test('a release comes up in batches, each with its own time', async () => {
  await open()
  const progress: string[] = []
  const values = { DEIS_DEPLOY_BATCHES: '2', SLOW: '100' }
  const release = app({
    structure: { web: 3, worker: 2 },
    procfile: { web: serve, worker: 'sleep 1000' },
    config: { values },
  })
  await stage.cluster.deploy(release, { signal: never, onProgress: message => progress.push(message) })
  expect(progress).toEqual(['starting 2 web', 'starting 1 web, 1 worker', 'starting 1 worker'])
  expect((await states()).map(([type, , state]) => `${type} ${state}`)).toEqual([
    'worker up',
    'worker up',
    'web up',
    'web up',
    'web up',
  ])
})

test('traffic follows when the routed type is another one', async () => {
  await open()
  const procfile = { web: serve, cmd: serve }
  await deploy({ procfile, structure: { cmd: 1, web: 0 } })
  const [cmd] = await slices()
  await deploy({ procfile, version: 3, structure: { cmd: 1, web: 1 } })
  const [web, none] = await slices()
  expect([web === cmd, none]).toEqual([false, undefined])
  expect((await stage.cluster.processes(shop, never)).filter(({ state }) => state === 'up')).toHaveLength(2)
  // What is not routable or has no port need not listen.
  await deploy({ version: 4, procfile: { web: 'sleep 1000' }, routing: { routable: false } })
  await deploy({ version: 5, procfile: { web: 'sleep 1000' }, port: null })
  expect(await slices()).toEqual([])
})

test('the same release again changes nothing', async () => {
  await open()
  await deploy({ structure: { web: 2 } })
  const before = await names()
  await deploy({ structure: { web: 2 } })
  expect(await names()).toEqual(before)
})

const failures: [name: string, parts: Partial<AppParts>, message: RegExp][] = [
  ['image that is not there', { build: { image: '/nowhere/at/all' } }, /^image \/nowhere\/at\/all not found$/],
  ['image that is no path', { build: { image: 'shop:git-1' } }, /^image shop:git-1 not found$/],
  ['type without a command', { procfile: { worker: 'true' } }, /^web cannot be started: there is no command for it/],
  [
    'crash loop',
    { procfile: { web: 'echo starting; echo "no database" >&2; exit 3' } },
    /^web does not come up, it ended again and again: it exited with status 3\nLast output of shop-web-\S+:\n(.*\n)*no database/,
  ],
  ['ended by a signal', { procfile: { web: 'kill -KILL $$' } }, /it was ended by SIGKILL/],
  [
    'command that is not there',
    { procfile: { web: 'no-such-program --port' } },
    /status 127\n(.*\n)*.*no-such-program/,
  ],
  [
    'listens nowhere',
    { procfile: { web: 'sleep 1000' }, config: { values: { DEIS_DEPLOY_TIMEOUT: '1' } } },
    /^web is not up after 1 s: its readiness probe fails: ECONNREFUSED$/,
  ],
  [
    'answers with an error',
    {
      config: {
        values: { DEIS_DEPLOY_TIMEOUT: '1' },
        healthcheck: { 'web/cmd': { readinessProbe: { httpGet: { port: 5000, path: '/' }, successThreshold: 1000 } } },
      },
    },
    /^web is not up after 1 s: /,
  ],
  [
    'probe command fails',
    {
      config: {
        values: { DEIS_DEPLOY_TIMEOUT: '1' },
        healthcheck: { web: { readinessProbe: { exec: { command: ['/bin/sh', '-c', 'exit 4'] } } } },
      },
    },
    /its readiness probe fails: it exited with status 4/,
  ],
  [
    'environment that no process takes',
    { config: { values: { A: 'a\0b' } } },
    /it cannot be started \(ERR_INVALID_ARG_VALUE\)/,
  ],
  ['more than is allowed', { structure: { web: 101 } }, /^an app has 100 processes at most on this machine, not 101$/],
  ['no such node', { config: { tags: { disk: 'ssd' } } }, /^No nodes matched the provided labels: disk=ssd$/],
]
for (const [name, parts, message] of failures)
  test(`a release that does not come up leaves the former one alone: ${name}`, async () => {
    await open()
    await deploy()
    const before = [await slices(), await names()]
    const failed = await deploy({ version: 3, ...parts }).catch((error: unknown) => error)
    expect(failed).toBeInstanceOf(ClusterError)
    expect((failed as ClusterError).kind).toBe('failed')
    expect((failed as ClusterError).message).toMatch(message)
    await until(async () => (await names()).length === 1)
    expect([await slices(), await names()]).toEqual(before)
    expect(await ask(before[0]![0] as unknown as number)).toMatch(/ of /)
  })

test('a deploy that is broken off leaves the former release alone', async () => {
  await open()
  await deploy()
  const before = await names()
  const stop = new AbortController()
  const deploying = deploy({ version: 3, procfile: { web: 'echo waiting; sleep 1000' } }, stop.signal)
  await stage.said(/^waiting$/)
  stop.abort(new Error('enough'))
  await expect(deploying).rejects.toThrow('enough')
  await until(async () => (await names()).length === 1)
  expect(await names()).toEqual(before)
})

test('scaling keeps what runs', async () => {
  await open()
  const parts = { procfile: { web: serve, worker: 'sleep 1000' } }
  await deploy(parts)
  const [first] = await names()
  await stage.cluster.scale(app({ ...parts, structure: { web: 3, worker: 2 } }), options())
  expect(await names()).toHaveLength(5)
  expect(await names()).toContain(first)
  expect(await slices()).toHaveLength(3)
  await stage.cluster.scale(app({ ...parts, structure: { web: 1, worker: 0 } }), options())
  await until(async () => (await names()).length === 1)
  expect(await names()).toEqual([first])
  await stage.cluster.scale(app({ ...parts, structure: { web: 0 } }), options())
  expect(await slices()).toEqual([])
  await until(async () => (await names()).length === 0)
})

test('a process that ends is started again, elsewhere, and gets traffic only when it is up', async () => {
  await open()
  await deploy()
  const [port] = await slices()
  const [name] = await names()
  const [pid] = await journal()
  process.kill(-pid!, 'SIGKILL')
  await stage.said(/^Process ended: it was ended by SIGKILL; it is started again in 0.0 s$/)
  await until(async () => (await slices()).some(other => other !== port))
  expect(await names()).toEqual([name])
  expect(await states()).toEqual([['web', 2, 'up']])
})

/** Process groups that run. */
async function journal(): Promise<readonly number[]> {
  return (await readdir(join(stage.state, 'processes'))).map(name => Number.parseInt(name, 10))
}

test('a process that ends again and again is said to be crashed', async () => {
  await open()
  await stage.cluster.repair(app({ procfile: { web: 'exit 1' } }), never)
  await until(async () => (await states())[0]?.[2] === 'crashed')
  expect(await slices()).toEqual([])
})

test('what a process leaves behind in its group ends with it', async () => {
  await open()
  // It ends when it is told to, so that it is surely up before, and the first of it can be told from the next.
  const worker = 'sleep 1000 & echo "child $!"; sleep 1000 & test -p end || mkfifo end; exec cat end'
  await deploy({ structure: { worker: 1 }, procfile: { worker } })
  const { text } = await stage.said(/^child \d+$/)
  const child = Number(text.slice('child '.length))
  expect(isAlive(child)).toBe(true)
  await writeFile(join(stage.image, 'end'), '')
  await stage.said(/it exited with status 0/)
  expect(isAlive(child)).toBe(false)
})

test('a child may finish its work though the shell above it ends at once', async () => {
  await open()
  // No `exec`: the shell waits, and SIGTERM ends it.
  await writeFile(
    join(stage.image, 'slow.cjs'),
    `process.on('SIGTERM', () => setTimeout(() => { require('node:fs').writeFileSync('finished', ''); process.exit() }, 200))
     setInterval(() => {}, 1000); console.log('running')`,
  )
  await deploy({ structure: { worker: 1 }, procfile: { worker: `true && ${process.execPath} slow.cjs && true` } })
  await stage.said(/^running$/)
  await stage.cluster.close()
  expect(existsSync(join(stage.image, 'finished'))).toBe(true)
})

test('a process that does not heed SIGTERM is ended after its grace time', async () => {
  await open()
  const values = { KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS: '0' }
  const worker = `trap 'echo "not me"' TERM; echo ready; while true; do sleep 0.05; done`
  await deploy({ structure: { worker: 1 }, procfile: { worker }, config: { values } })
  await stage.said(/^ready$/)
  const [pid] = await journal()
  await stage.cluster.close()
  expect(isAlive(pid!)).toBe(false)
  expect(await journal()).toEqual([])
})

test('a process fails its liveness probe and is started again', async () => {
  await open()
  const livenessProbe = {
    exec: { command: ['/bin/sh', '-c', 'test ! -e sick'] },
    periodSeconds: 1,
    failureThreshold: 1,
  }
  await deploy({ config: { healthcheck: { web: { livenessProbe } } } })
  await writeFile(join(stage.image, 'sick'), '')
  await stage.said(/^Process ended: its liveness probe fails: it exited with status 1; /)
  await rm(join(stage.image, 'sick'))
  await until(async () => (await states())[0]?.[2] === 'up')
})

test('a process that is not ready any more gets no traffic', async () => {
  await open()
  const readinessProbe = {
    exec: { command: ['/bin/sh', '-c', 'test ! -e busy'] },
    periodSeconds: 1,
    failureThreshold: 1,
  }
  await deploy({ config: { healthcheck: { 'web/cmd': { readinessProbe } } } })
  expect(await slices()).toHaveLength(1)
  await writeFile(join(stage.image, 'busy'), '')
  await until(async () => (await slices()).length === 0)
  expect(await states()).toEqual([['web', 2, 'starting']])
  await rm(join(stage.image, 'busy'))
  await until(async () => (await slices()).length === 1)
})

test('an HTTP probe asks at the port of each process', async () => {
  await open()
  const readinessProbe = { httpGet: { port: 5000, path: 'health', httpHeaders: [{ name: 'X-A', value: 'b' }] } }
  await deploy({ structure: { web: 2 }, config: { healthcheck: { web: { readinessProbe } } } })
  expect(await slices()).toHaveLength(2)
})

test.runIf(hasProcfs)('a process that holds more than its memory limit is ended', async () => {
  await open()
  const worker = `exec ${process.execPath} -e "globalThis.a = Buffer.alloc(2e8, 1); setInterval(() => {}, 1000)"`
  const failed = deploy({ structure: { worker: 1 }, procfile: { worker }, config: { memory: { worker: '10M/100M' } } })
  await stage.said(/^Memory quota exceeded$/)
  await stage.said(/^Process ended: it held more than its memory limit of 104857600 bytes; /)
  await failed.catch(() => {})
})

test('a flood of output comes whole, in pieces, and holds nothing up', async () => {
  await open()
  const worker = `${process.execPath} -e "
    const line = 'x'.repeat(1023) + '\\n'
    for (let i = 0; i < 20000; i++) process.stdout.write(line)
    process.stdout.write('y'.repeat(200000) + '\\n')
    process.stdout.write('the end', () => {})"; sleep 1000`
  await deploy({ structure: { worker: 1 }, procfile: { worker } })
  const [name] = await names()
  await until(
    () => stage.lines.filter(({ text }) => text[0] === 'y').reduce((sum, { text }) => sum + text.length, 0) === 200_000,
  )
  const lines = stage.lines.filter(({ process }) => process === `worker.v2.${name!.slice(-5)}`)
  expect(lines.filter(({ text }) => text.length === 1023)).toHaveLength(20_000)
  expect(Math.max(...lines.map(({ text }) => text.length))).toBe(64 * 1024)
})

test('the environment is the contract’s, and nothing of ours leaks', async () => {
  process.env.DEIS_SECRET_KEY = 'SECRET'
  try {
    await open()
    const values = { A: 'b c', LANG: 'de_DE.UTF-8', WORKFLOW_RELEASE: 'mine', PORT: '1' }
    const { output, exitCode } = await stage.cluster.run(app({ config: { values } }), 'env; pwd', never)
    expect(exitCode).toBe(0)
    const lines = output
      .replace(/^PORT=\d{4,5}$/m, 'PORT=1234')
      .replace(/\/files\/\w{6}\//, '/files/NAME/')
      .split('\n')
      .filter(line => !/^(PWD|OLDPWD|SHLVL|_)=/.test(line) && line !== '')
    expect(lines.sort()).toEqual(
      [
        stage.image,
        'A=b c',
        'DEIS_APP=shop',
        `HOME=${stage.image}`,
        'LANG=de_DE.UTF-8',
        `PATH=${process.env.PATH}`,
        'PORT=1234',
        'SOURCE_VERSION=abcdef0123456789',
        `TMPDIR=${join(stage.state, 'files/NAME/tmp')}`,
        'WORKFLOW_RELEASE=mine',
        'WORKFLOW_RELEASE_CREATED_AT=2026-01-02T03:04:05Z',
        'WORKFLOW_RELEASE_SUMMARY=ann deployed abcdef0',
      ].sort(),
    )
  } finally {
    delete process.env.DEIS_SECRET_KEY
  }
})

const commands: [name: string, command: string, result: Partial<RunResult>][] = [
  ['both streams in their order', 'echo a; echo b >&2; echo c; exit 7', { exitCode: 7, output: 'a\nb\nc\n' }],
  ['a signal', 'echo a; kill -TERM $$', { exitCode: 143, output: 'a\n' }],
  ['a quote and a dollar', `printf '%s' "it's \\$5"`, { exitCode: 0, output: `it's $5` }],
  ['nothing to read', 'cat; echo done', { exitCode: 0, output: 'done\n' }],
  ['what it leaves behind', 'sleep 1000 & echo done', { exitCode: 0, output: 'done\n' }],
  ['too much output', `head -c 3000000 /dev/zero | tr '\\0' x`, { output: 'x'.repeat(1024 * 1024), isCut: true }],
  ['just as much output as is kept', `head -c 1048576 /dev/zero | tr '\\0' x`, { output: 'x'.repeat(1024 * 1024) }],
]
for (const [name, command, result] of commands)
  test(`a one-off command: ${name}`, async () => {
    await open()
    expect(await stage.cluster.run(app(), command, never)).toEqual({ exitCode: 0, isCut: false, ...result })
    expect(await stage.cluster.processes(shop, never)).toEqual([])
    expect(await journal()).toEqual([])
  })

test('a one-off command ends when nobody waits for it, with all that it started', async () => {
  await open()
  const stop = new AbortController()
  const running = stage.cluster.run(app(), 'sleep 1000 & echo $! > child; mv child started; wait', stop.signal)
  await until(() => existsSync(join(stage.image, 'started')))
  const child = Number(await readFile(join(stage.image, 'started'), 'utf8'))
  stop.abort(new Error('gone'))
  await expect(running).rejects.toThrow('gone')
  await until(() => !isAlive(child))
})

test('a one-off command that takes too long is ended', async () => {
  await open({ run: 60 })
  await expect(stage.cluster.run(app(), 'sleep 1000', never)).rejects.toThrow(
    /^shop-run-[a-z0-9]{5} \(run\): it was ended after 0.001 minutes$/,
  )
})

test('restarting replaces the named ones, and only those', async () => {
  await open()
  await deploy({ structure: { web: 3 } })
  const before = await names()
  const fresh = await stage.cluster.restart(shop, [before[0]!, before[2]!, 'shop-web-0123456789-abcde'], never)
  expect(fresh.map(({ type, state }) => [type, state])).toEqual([
    ['web', 'up'],
    ['web', 'up'],
  ])
  await until(async () => (await names()).length === 3)
  expect((await names()).filter(name => before.includes(name))).toEqual([before[1]])
  expect(await slices()).toHaveLength(3)
  expect(await stage.cluster.restart(shop, [], never)).toEqual([])
  expect(await stage.cluster.restart('other' as AppId, ['other-web-1'], never)).toEqual([])
})

test('destroying ends everything, and nothing is left', async () => {
  await open()
  await deploy({ structure: { web: 2 } })
  const running = stage.cluster.run(app(), 'sleep 1000', never).catch((error: unknown) => error)
  const deploying = deploy({ version: 3, procfile: { web: 'echo waiting; sleep 1000' } }).catch(
    (error: unknown) => error,
  )
  await stage.said(/^waiting$/)
  await stage.cluster.destroy({ id: shop, uuid: 'another' }, never)
  expect(await stage.cluster.apps(never)).toHaveLength(1)
  await stage.cluster.destroy(app(), never)
  expect(await Promise.all([running, deploying])).toMatchObject([
    { message: 'shop was destroyed' },
    { message: 'shop was destroyed' },
  ])
  expect(await stage.cluster.apps(never)).toEqual([])
  expect(await stage.cluster.processes(shop, never)).toEqual([])
  expect(await readdir(stage.manifests)).toEqual([])
  expect(await journal()).toEqual([])
  await stage.cluster.destroy(app(), never)
  // The name is free again, for another one.
  await stage.cluster.create(app({ uuid: 'c0000000-0000-4000-8000-000000000000' }), never)
})

test('destroying ends the processes though the router cannot be told, and can be repeated', async () => {
  await open()
  await deploy()
  const service = join(stage.manifests, 'app-shop.yaml')
  await rm(service)
  await mkdir(join(service, 'in the way'), { recursive: true })
  await expect(stage.cluster.destroy(app(), never)).rejects.toMatchObject({ kind: 'unreachable' })
  expect(await journal()).toEqual([])
  expect(await stage.cluster.apps(never)).toHaveLength(1)
  await rm(service, { recursive: true })
  await stage.cluster.destroy(app(), never)
  expect(await stage.cluster.apps(never)).toEqual([])
})

test('a name that is another one’s is taken', async () => {
  await open()
  await writeFile(join(stage.manifests, 'app-hand.yaml'), '# by hand\n')
  await stage.cluster.create(app(), never)
  await stage.cluster.create(app(), never)
  for (const taken of [app({ uuid: 'c0000000-0000-4000-8000-000000000000' }), app({ id: 'hand' })])
    await expect(stage.cluster.create(taken, never)).rejects.toMatchObject({ kind: 'taken' })
  expect(await readFile(join(stage.manifests, 'app-hand.yaml'), 'utf8')).toBe('# by hand\n')
  expect(await stage.cluster.apps(never)).toEqual([{ id: 'shop', uuid: app().uuid }])
})

test('what others do to the manifests is told, and repaired', async () => {
  await open()
  await deploy()
  const stop = new AbortController()
  const drift = stage.cluster.drift(stop.signal)[Symbol.asyncIterator]()
  const service = join(stage.manifests, 'app-shop.yaml')
  const before = await readFile(service, 'utf8')
  for (const [spoil, words] of [
    [() => rm(service), ['Service shop was missing']],
    [() => writeFile(service, 'kind: None\n'), ['Service shop was changed']],
    [() => rm(join(stage.manifests, 'endpoints-shop.yaml')), ['the EndpointSlices of shop were missing']],
    [() => writeFile(join(stage.manifests, 'endpoints-shop.yaml'), ''), ['the EndpointSlices of shop were changed']],
  ] as const) {
    const next = drift.next()
    // The watch begins with the first question.
    await new Promise(setImmediate)
    await spoil()
    expect(await next).toEqual({ done: false, value: 'shop' })
    expect(await stage.cluster.repair(app(), never)).toEqual(words)
  }
  expect(await readFile(service, 'utf8')).toBe(before)
  expect(await slices()).toHaveLength(1)
  expect(await stage.cluster.repair(app(), never)).toEqual([])
  const last = drift.next()
  // Our own changes are none, and neither are others' files.
  await deploy({ version: 3 })
  await writeFile(join(stage.manifests, 'other.yaml'), '')
  await stage.cluster.publish(app({ routing: { maintenance: true } }), never)
  stop.abort()
  const told = await last
  expect(told.done === true || told.value === undefined).toBe(true)
})

test('repairing starts what should run, without waiting', async () => {
  await open()
  expect(await stage.cluster.repair(app({ structure: { web: 2 } }), never)).toEqual([
    'Service shop was missing',
    '2 web started',
  ])
  await until(async () => (await slices()).length === 2)
  expect(await stage.cluster.repair(app({ version: 3 }), never)).toEqual([
    '1 web started',
    '2 of another release to be ended',
  ])
  await until(async () => JSON.stringify(await states()) === JSON.stringify([['web', 3, 'up']]))
  expect(await slices()).toHaveLength(1)
  expect(stage.faults).toEqual([])
})

test('a second controller cannot have the same state, and the next one starts with no endpoints', async () => {
  await open()
  await deploy()
  const first = stage.cluster
  await expect(open()).rejects.toThrow(`process ${process.pid} uses ${stage.state} already; choose another one`)
  await first.close()
  await writeFile(join(stage.state, 'controller.pid'), `${process.pid} some other time\n`)
  await writeFile(join(stage.manifests, 'endpoints-shop.yaml'), '# stale\n')
  await open()
  expect(await stage.cluster.apps(never)).toEqual([{ id: 'shop', uuid: app().uuid }])
  expect(await readdir(stage.manifests)).toEqual(['app-shop.yaml'])
  await deploy()
  expect(await slices()).toHaveLength(1)
})

test('directories may be given as seen from here', async () => {
  await stage.open({ state: relative('.', stage.state), manifests: relative('.', stage.manifests) })
  const { output } = await stage.cluster.run(app(), 'printf %s "$TMPDIR"; cd "$TMPDIR"', never)
  expect(relative(stage.state, output)).toMatch(/^files\/\w{6}\/tmp$/)
})

test('nodes: this machine is one, with the labels that it was given', async () => {
  await stage.open({ labels: { zone: 'a', disk: 'ssd' } })
  const rows: Record<string, string>[] = [
    {},
    { zone: 'a' },
    { zone: 'a', disk: 'ssd' },
    { zone: 'b' },
    { constructor: 'x' },
  ]
  expect(await Promise.all(rows.map(tags => stage.cluster.nodes(tags, never)))).toEqual([1, 1, 1, 0, 0])
})

test('a directory that cannot be written is said to be', async () => {
  await open()
  await stage.cluster.check(never)
  await rm(stage.manifests, { recursive: true })
  await writeFile(stage.manifests, '')
  await expect(stage.cluster.publish(app(), never)).rejects.toMatchObject({
    kind: 'unreachable',
    message: expect.stringMatching(/^the router cannot be told: /),
  })
  await rm(stage.manifests)
  await mkdir(stage.manifests)
})
