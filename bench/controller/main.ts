// The controller with hundreds of apps: `npm run bench:controller`. See bench/README.md.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import { PostgresServer, withoutPostgres } from '#test/support/postgres.ts'
import { commandLine, exitOnMistake, wholeNumber } from '../support/arguments.ts'
import { describeMachine } from '../support/machine.ts'
import { treeResidentSize } from '../support/process-stat.ts'
import { saveResult } from '../support/results.ts'
import { pinnedNode } from '../support/router-process.ts'
import { median } from '../support/statistics.ts'
import { type Running, Workbench } from '../support/workbench.ts'
import { Client } from './client.ts'
import { appName, crowd } from './crowd.ts'
import { steadyReads } from './reads.ts'

interface Options {
  readonly apps: number
  readonly clients: number
  readonly rate: number
  readonly seconds: number
  readonly json?: string
}

const args = process.argv.slice(2)
const machine = describeMachine()
const options = exitOnMistake(new Command('npm run bench:controller --'))
  .description('Measures the controller with many apps. See bench/README.md.')
  .option('--apps <n>', 'apps', wholeNumber, 300)
  .option('--clients <n>', 'users that work at once', wholeNumber, 8)
  .option('--rate <n>', 'reads each second', wholeNumber, 200)
  .option('--seconds <n>', 'how long to read', wholeNumber, 20)
  .option('--json <file>', 'where the result goes (default: bench/results, named by date)')
  .parse(args, { from: 'user' })
  .opts<Options>()

/** Those without a build are configured alone, the others are deployed with each change. */
const shared = ['shared-1', 'shared-2', 'shared-3', 'shared-4']
const sharedAndBuilt = ['shared-3', 'shared-4']
/** Users that deploy while others read. */
const deployers = 2
/** Until memory is what it stays, milliseconds. */
const settling = 20_000

const root = join(import.meta.dirname, '..', '..')
const absence = process.platform === 'linux' ? withoutPostgres : 'This bench reads memory from /proc: it needs Linux.'
if (absence === null) await run()
else {
  console.error(absence)
  process.exitCode = 1
}

async function run(): Promise<void> {
  await using server = await PostgresServer.start()
  await using bench = new Workbench(15_000)
  const kubeconfig = bench.path('kubeconfig')
  const cluster = await bench.start({
    ...{ name: 'cluster', program: pinnedNode(), directory: root },
    args: [join(import.meta.dirname, 'cluster-server.ts'), kubeconfig],
  })
  await bench.untilReady(cluster, async () => readFileSync(cluster.stdout, 'utf8').includes('ready'))
  const start = await starter(bench, server, kubeconfig)
  // Fills the cache, of which the image has all.
  await bench.stop((await start()).running)
  const { running, port } = await start()
  const residentFresh = await settled(running)

  const clients = Array.from({ length: options.clients }, () => new Client(port))
  const [first] = clients as [Client, ...Client[]]
  await first.logIn('user')
  for (const client of clients) client.as(first)
  for (const app of shared) await first.expect(201, 'POST', '/v2/apps/', { id: app })
  for (const app of sharedAndBuilt) {
    await first.expect(201, 'POST', `/v2/apps/${app}/config/`, { values: { PORT: '5000' } })
    await first.expect(201, 'POST', `/v2/apps/${app}/builds/`, { image: 'example/app:1', procfile: { web: 'serve' } })
  }
  const work = await crowd({ clients, apps: options.apps, shared })
  console.log(
    `${options.apps} apps by ${options.clients} users: ${work.requests} requests in ${work.seconds.toFixed(1)} s, ` +
      `${work.busy} refused as busy, ${work.errors.length} errors, ${work.lost.length} changes lost`,
  )
  for (const trouble of [...work.errors, ...work.lost].slice(0, 10)) console.log(`  ${trouble}`)

  await using reader = new Client(port, 64).as(first)
  const { rate, seconds } = options
  const paths = Array.from({ length: 50 }, (_, index) => `/v2/apps/${appName((index * 7) % options.apps)}`).flatMap(
    app => [`${app}/`, `${app}/config/`, `${app}/releases/`, `${app}/domains/`, '/v2/apps/?limit=20'],
  )
  const reads = { client: reader, paths, rate, seconds }
  // What is compiled while it runs is compiled now.
  await steadyReads({ ...reads, seconds: 5 })
  const quiet = await steadyReads(reads)
  console.log(`reads, nothing else: p50 ${quiet.p50} ms, p99 ${quiet.p99} ms, ${quiet.errors} errors`)
  const stop = new AbortController()
  const deploying = Promise.all(clients.slice(0, deployers).map((client, own) => deployUntil(client, own, stop.signal)))
  const busy = await steadyReads(reads)
  stop.abort()
  const deploys = (await deploying).reduce((sum, count) => sum + count, 0)
  console.log(`reads, ${deploys} deploys beside: p50 ${busy.p50} ms, p99 ${busy.p99} ms, ${busy.errors} errors`)
  const residentAfter = await settled(running)
  console.log(`resident: ${megabytes(residentFresh)} MB fresh, ${megabytes(residentAfter)} MB after all of it`)

  await Promise.all(clients.map(client => client[Symbol.asyncDispose]()))
  const head = { date: new Date().toISOString(), command: commandLine('bench:controller', args), machine }
  const { json = null, ...settings } = options
  const { errors, lost, ...crowdFigures } = work
  const result = {
    ...head,
    settings,
    database: 'PostgreSQL on a socket file, without fsync',
    cluster: 'Kubernetes API in memory; processes are up at once',
    crowd: { ...crowdFigures, errors: errors.length, lost: lost.length },
    quiet,
    busy: { ...busy, deploys },
    residentFresh,
    residentAfter,
  }
  console.log(`\nKept as ${saveResult('controller', result, json)}`)
  if (errors.length + lost.length > 0) process.exitCode = 1
}

async function starter(
  bench: Workbench,
  server: PostgresServer,
  kubeconfig: string,
): Promise<() => Promise<{ readonly running: Running; readonly port: number }>> {
  const { host, port, user, database } = await server.createDatabase()
  return async () => {
    const running = await bench.start({
      ...{ name: 'controller', program: pinnedNode(), directory: root },
      args: [
        join(root, 'controller', 'main.ts'),
        ...['--address', '127.0.0.1', '--port', '0', '--admin-port', '0', '--kubeconfig', kubeconfig],
      ],
      env: {
        DEIS_DATABASE_SERVICE_HOST: host,
        DEIS_DATABASE_SERVICE_PORT: String(port),
        DEIS_DATABASE_USER: user,
        DEIS_DATABASE_NAME: database,
        // As the image has it (Dockerfile).
        NODE_ENV: 'production',
        NODE_COMPILE_CACHE: bench.path('compiled'),
        MALLOC_ARENA_MAX: '2',
      },
    })
    let api = 0
    await bench.untilReady(running, async () => {
      api = Number(/"port":([0-9]+).*"the API is up"/.exec(readFileSync(running.stderr, 'utf8'))?.[1] ?? 0)
      return api > 0
    })
    return { running, port: api }
  }
}

/** Config changes of apps of its own, each a deploy; returns how many. */
async function deployUntil(client: Client, own: number, signal: AbortSignal): Promise<number> {
  let count = 0
  for (let index = own; !signal.aborted; index = (index + deployers) % options.apps) {
    await client.expect(201, 'POST', `/v2/apps/${appName(index)}/config/`, { values: { ROUND: String(++count) } })
  }
  return count
}

/** The middle one of some readings, bytes. */
async function settled({ pid }: Running): Promise<number> {
  await delay(settling)
  const readings: number[] = []
  for (let i = 0; i < 5; i++) {
    readings.push(treeResidentSize(pid))
    await delay(200)
  }
  return median(readings)!
}

function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(0)
}
