// What pushes and pulls cost, beside Debian's docker-registry in one run: `npm run bench:registry`. See bench/README.md.

import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { Command as CommandLine } from 'commander'
import { commandLine, exitOnMistake, wholeNumber } from '../support/arguments.ts'
import { clockTicks, describeMachine, findProgram, programVersion } from '../support/machine.ts'
import { freePorts } from '../support/ports.ts'
import { parsePeakSize, treeTicks } from '../support/process-stat.ts'
import { saveResult } from '../support/results.ts'
import { median } from '../support/statistics.ts'
import { type Command, type Running, Workbench } from '../support/workbench.ts'

interface Subject {
  readonly name: string
  readonly running: Running
  readonly port: number
}

interface Row {
  readonly subject: string
  readonly work: string
  readonly round: number
  readonly seconds: number
  readonly cpuSeconds: number
  readonly octets: number
  readonly count: number
}

const args = process.argv.slice(2)
const options = exitOnMistake(new CommandLine('npm run bench:registry --'))
  .description('Pushes and pulls beside docker-registry. See bench/README.md.')
  .option('--rounds <n>', 'of each work, subjects in turn', wholeNumber, 5)
  .option('--large <n>', 'MB of a large blob', wholeNumber, 100)
  .option('--small <n>', 'small blobs (4 kB) of a round', wholeNumber, 500)
  .option('--memory <n>', 'MB of the push under which memory is read', wholeNumber, 2048)
  .option('--json <file>', 'where the result goes (default: bench/results, named by date)')
  .parse(args, { from: 'user' })
  .opts<{ rounds: number; large: number; small: number; memory: number; json?: string }>()

const megabyte = 1_000_000
const ticks = clockTicks() ?? 100
const atOnce = 8

await run()

async function run(): Promise<void> {
  await using bench = new Workbench(10_000)
  const machine = describeMachine()
  const subjects = [await ours(bench)]
  const rival = await dockerRegistry(bench)
  if (rival === null) console.log('docker-registry is not there (Debian: docker-registry)')
  else subjects.push(rival)
  const rows: Row[] = []
  for (let round = 0; round < options.rounds; round++) {
    for (const subject of round % 2 === 0 ? subjects : subjects.toReversed()) {
      const large = randomBytes(options.large * megabyte)
      const small = Array.from({ length: options.small }, () => randomBytes(4096))
      const take = async (work: string, contents: readonly Buffer[], each: typeof push): Promise<void> => {
        rows.push({ ...(await measured(subject, contents, each)), subject: subject.name, work, round })
      }
      await take('push large', [large], push)
      await take('pull large', [large], pull)
      await take('push small', small, push)
      await take('pull small', small, pull)
    }
  }
  const memory: Record<string, number | null> = {}
  for (const subject of subjects) {
    await pushLong(subject, options.memory)
    memory[subject.name] = parsePeakSize(readFileSync(`/proc/${subject.running.pid}/status`, 'utf8'))
  }
  report(rows, memory)
  const head = { date: new Date().toISOString(), command: commandLine('bench:registry', args), machine }
  const { json = null, ...settings } = options
  const versions = { 'docker-registry': programVersion('docker-registry', ['--version'], /v?(\d+\.\d+\.\d+\S*)/) }
  console.log(`\nKept as ${saveResult('registry', { ...head, settings, versions, rows, peakBytes: memory }, json)}`)
}

async function ours(bench: Workbench): Promise<Subject> {
  const [port, adminPort] = (await freePorts(2)) as [number, number]
  const program = new URL('../../registry/main.ts', import.meta.url).pathname
  // As the image has it (Dockerfile): compiled before it starts.
  const env = { NODE_COMPILE_CACHE: bench.path('compiled'), MALLOC_ARENA_MAX: '2' }
  execFileSync(process.execPath, [program, '--version'], { env })
  const ports = ['--address', '127.0.0.1', '--port', String(port), '--admin-port', String(adminPort)]
  const command = {
    name: 'registry',
    program: process.execPath,
    args: [program, ...ports, '--folder', bench.path('ours')],
    env,
  }
  return started(bench, command, port)
}

async function dockerRegistry(bench: Workbench): Promise<Subject | null> {
  const program = findProgram('docker-registry')
  if (program === null) return null
  const [port] = (await freePorts(1)) as [number]
  const directory = bench.path('theirs')
  mkdirSync(directory)
  const config = bench.path('docker-registry.yml')
  const log = ['log: {accesslog: {disabled: false}, level: warn}']
  const rest = [`storage: {filesystem: {rootdirectory: ${directory}}}`, `http: {addr: "127.0.0.1:${port}"}`]
  writeFileSync(config, `${['version: 0.1', ...log, ...rest].join('\n')}\n`)
  return started(bench, { name: 'docker-registry', program, args: ['serve', config] }, port)
}

async function started(
  bench: Workbench,
  command: Pick<Command, 'name' | 'program' | 'args' | 'env'>,
  port: number,
): Promise<Subject> {
  const running = await bench.start(command)
  await bench.untilReady(running, async () => (await fetch(`http://127.0.0.1:${port}/v2/`)).status === 200)
  return { name: command.name, running, port }
}

type Measured = Omit<Row, 'subject' | 'work' | 'round'>

/** Several clients at once, each with a connection of its own. */
async function measured(subject: Subject, contents: readonly Buffer[], each: typeof push): Promise<Measured> {
  // Of the client, and before the clock starts.
  const digests = contents.map(digestOf)
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce })
  const before = treeTicks([subject.running.pid])[0]!
  const began = performance.now()
  let next = 0
  const worker = async (): Promise<void> => {
    for (let i = next++; i < contents.length; i = next++) await each(subject.port, agent, contents[i]!, digests[i]!)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, contents.length) }, worker))
  const seconds = (performance.now() - began) / 1000
  const cpuSeconds = (treeTicks([subject.running.pid])[0]! - before) / ticks
  agent.destroy()
  const octets = contents.reduce((sum, { length }) => sum + length, 0)
  return { seconds, cpuSeconds, octets, count: contents.length }
}

function digestOf(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}

/** As most clients do: POST, then PUT with all of it. */
async function push(port: number, agent: Agent, content: Buffer, digest: string): Promise<void> {
  const target = await begin(port, agent)
  target.searchParams.set('digest', digest)
  await answered(201, port, agent, 'PUT', target, content)
}

async function pull(port: number, agent: Agent, content: Buffer, digest: string): Promise<void> {
  const url = new URL(`http://127.0.0.1:${port}/v2/bench/blobs/${digest}`)
  const { size } = await answered(200, port, agent, 'GET', url, null)
  if (size !== content.length) throw new Error(`pulled ${size} of ${content.length}`)
}

async function begin(port: number, agent: Agent): Promise<URL> {
  const start = new URL(`http://127.0.0.1:${port}/v2/bench/blobs/uploads/`)
  const { location } = await answered(202, port, agent, 'POST', start, Buffer.alloc(0))
  return new URL(location, start)
}

interface Answer {
  readonly location: string
  readonly size: number
}

function answered(
  wanted: number,
  port: number,
  agent: Agent,
  method: string,
  url: URL,
  body: Buffer | AsyncIterable<Buffer> | null,
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const sent = request({ host: '127.0.0.1', port, agent, method, path: url.pathname + url.search })
  sent.on('error', reject)
  sent.on('response', response => {
    let size = 0
    response.on('data', (chunk: Buffer) => {
      size += chunk.length
    })
    response.on('error', reject)
    response.on('end', () => {
      if (response.statusCode === wanted) resolve({ location: response.headers.location ?? '', size })
      else reject(new Error(`${method} was answered ${response.statusCode}`))
    })
  })
  if (body === null) sent.end()
  else if (Buffer.isBuffer(body)) sent.setHeader('content-length', body.length).end(body)
  else {
    sent.setHeader('content-type', 'application/octet-stream')
    const write = async (): Promise<void> => {
      for await (const chunk of body) if (!sent.write(chunk)) await new Promise<void>(done => sent.once('drain', done))
      sent.end()
    }
    write().catch(reject)
  }
  return promise
}

async function pushLong(subject: Subject, megabytes: number): Promise<void> {
  const agent = new Agent({ keepAlive: true })
  const target = await begin(subject.port, agent)
  const chunk = randomBytes(megabyte)
  const hash = createHash('sha256')
  async function* body(): AsyncGenerator<Buffer> {
    for (let i = 0; i < megabytes; i++) {
      chunk.writeUInt32LE(i)
      hash.update(chunk)
      yield Buffer.from(chunk)
    }
  }
  const { location } = await answered(202, subject.port, agent, 'PATCH', target, body())
  const finish = new URL(location, target)
  finish.searchParams.set('digest', `sha256:${hash.digest('hex')}`)
  await answered(201, subject.port, agent, 'PUT', finish, Buffer.alloc(0))
  agent.destroy()
}

function report(rows: readonly Row[], memory: Readonly<Record<string, number | null>>): void {
  console.log('work         subject            MB/s    blobs/s    CPU s/GB   CPU ms/blob')
  for (const [key, group] of Map.groupBy(rows, row => `${row.work.padEnd(12)} ${row.subject.padEnd(15)}`)) {
    const middle = (of: (row: Row) => number): number => median(group.map(of))!
    const columns = [
      middle(row => row.octets / megabyte / row.seconds)
        .toFixed(1)
        .padStart(9),
      middle(row => row.count / row.seconds)
        .toFixed(1)
        .padStart(9),
      middle(row => row.cpuSeconds / (row.octets / 1e9))
        .toFixed(2)
        .padStart(11),
      middle(row => (row.cpuSeconds * 1000) / row.count)
        .toFixed(2)
        .padStart(11),
    ]
    console.log(key, ...columns)
  }
  for (const work of new Set(rows.map(row => row.work))) {
    const of = (name: string): readonly Row[] => rows.filter(row => row.work === work && row.subject === name)
    const [mine, theirs] = [of('registry'), of('docker-registry')]
    if (theirs.length === 0) continue
    // Of one round, in which both had the same neighbours; more than 1 is for us.
    const ratio = (value: (row: Row) => number): string =>
      median(mine.map((row, round) => value(theirs[round]!) / value(row)))!.toFixed(2)
    console.log(`${work}: ${ratio(row => row.cpuSeconds)} times per CPU, ${ratio(row => row.seconds)} times as fast`)
  }
  for (const [name, peak] of Object.entries(memory))
    console.log(
      `${name}: at most ${((peak ?? 0) / megabyte).toFixed(0)} MB resident, ${options.memory} MB pushed at the end`,
    )
}
