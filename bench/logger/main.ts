// What lines cost the logger: `npm run bench:logger`. See bench/README.md.

import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { Agent, get, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import { encodeLine } from '#logger/syslog/encode.ts'
import { frameMessage } from '#logger/syslog/framing.ts'
import { commandLine, exitOnMistake, wholeNumber } from '../support/arguments.ts'
import { clockTicks, describeMachine } from '../support/machine.ts'
import { freePorts } from '../support/ports.ts'
import { parsePeakSize, treeTicks } from '../support/process-stat.ts'
import { saveResult } from '../support/results.ts'
import { type Running, Workbench } from '../support/workbench.ts'

interface Row {
  readonly apps: number
  readonly lines: number
  readonly seconds: number
  readonly cpuSeconds: number
  /** Lines that it did not give back after a restart. */
  readonly lost: number
  readonly peakBytes: number | null
  /** From the start of a process that finds all these apps on disk until it answers. */
  readonly restartSeconds: number
}

interface Ports {
  readonly http: number
  readonly tcp: number
}

const args = process.argv.slice(2)
const options = exitOnMistake(new Command('npm run bench:logger --'))
  .description('Lines over TCP, and whether all of them come back. See bench/README.md.')
  .option('--rate <n>', 'lines a second', wholeNumber, 10_000)
  .option('--seconds <n>', 'of each case', wholeNumber, 10)
  .option('--apps <n...>', 'a case for each number of apps', (text, so: number[] = []) => [...so, wholeNumber(text)])
  .option('--json <file>', 'where the result goes (default: bench/results, named by date)')
  .parse(args, { from: 'user' })
  .opts<{ rate: number; seconds: number; apps?: number[]; json?: string }>()

const ticks = clockTicks() ?? 100
const connections = 4
/** Milliseconds between two bursts of a sender. */
const step = 10
/** As those of a web app: 100 octets of text, 180 on the wire. */
const padding = 'x'.repeat(90)

await run()

async function run(): Promise<void> {
  await using bench = new Workbench(10_000)
  const machine = describeMachine()
  const rows: Row[] = []
  console.log('   apps      lines   lines/s   CPU µs/line   % of a core   lost   peak MB   restart s')
  for (const apps of options.apps ?? [20, 1000, 10_000]) {
    const row = await measured(bench, apps)
    rows.push(row)
    const cells = [
      [String(row.apps), 7],
      [String(row.lines), 11],
      [(row.lines / row.seconds).toFixed(0), 10],
      [((row.cpuSeconds * 1e6) / row.lines).toFixed(1), 14],
      [((row.cpuSeconds / row.seconds) * 100).toFixed(0), 14],
      [String(row.lost), 7],
      [((row.peakBytes ?? 0) / 1e6).toFixed(0), 10],
      [row.restartSeconds.toFixed(2), 12],
    ] as const
    console.log(cells.map(([text, width]) => text.padStart(width)).join(''))
  }
  const head = { date: new Date().toISOString(), command: commandLine('bench:logger', args), machine }
  const { json = null, ...settings } = options
  console.log(`\nKept as ${saveResult('logger', { ...head, settings, rows }, json)}`)
}

async function measured(bench: Workbench, apps: number): Promise<Row> {
  const folder = bench.path(`logs-${apps}`)
  mkdirSync(folder)
  const first = await started(bench, folder, apps)
  const sockets: Socket[] = []
  for (let i = 0; i < connections; i++) {
    const socket = connect(first.ports.tcp, '127.0.0.1')
    await once(socket, 'connect')
    sockets.push(socket)
  }
  const before = treeTicks([first.running.pid])[0]!
  const began = performance.now()
  const lines = await send(sockets, apps, began)
  // The logger closes its side when it has read everything.
  await Promise.all(sockets.map(socket => once(socket.resume().end(), 'close')))
  const seconds = (performance.now() - began) / 1000
  const cpuSeconds = (treeTicks([first.running.pid])[0]! - before) / ticks
  const peakBytes = parsePeakSize(readFileSync(`/proc/${first.running.pid}/status`, 'utf8'))
  await bench.stop(first.running)
  const again = await started(bench, folder, apps)
  const restartSeconds = (performance.now() - again.running.startedAt) / 1000
  const kept = await countAll(again.ports.http, apps)
  await bench.stop(again.running)
  return { apps, lines, seconds, cpuSeconds, lost: lines - kept, peakBytes, restartSeconds }
}

async function started(bench: Workbench, folder: string, apps: number): Promise<{ running: Running; ports: Ports }> {
  const [http, tcp] = (await freePorts(2)) as [number, number]
  const program = new URL('../../logger/main.ts', import.meta.url).pathname
  const ports = ['--address', '127.0.0.1', '--http-port', String(http), '--tcp-port', String(tcp)]
  const off = ['--admin-port', 'off', '--udp-port', 'off', '--max-apps', String(Math.max(apps, 10_000))]
  const command = {
    name: 'logger',
    program: process.execPath,
    args: [program, ...ports, ...off, '--folder', folder],
    env: { MALLOC_ARENA_MAX: '2' },
  }
  const running = await bench.start(command)
  await bench.untilReady(running, async () => (await fetch(`http://127.0.0.1:${http}/healthz`)).status === 200)
  return { running, ports: { http, tcp } }
}

/** Open loop: what is due is sent, whether the logger keeps up or not. */
async function send(sockets: readonly Socket[], apps: number, began: number): Promise<number> {
  const all = options.rate * options.seconds
  for (let lines = 0; lines < all; ) {
    const due = Math.min(all, Math.floor(((performance.now() - began) / 1000) * options.rate))
    for (const [i, socket] of sockets.entries()) {
      const batch: Buffer[] = []
      for (let n = lines + ((i - (lines % connections) + connections) % connections); n < due; n += connections) {
        const [app, text] = [`app-${n % apps}`, `line ${n} ${padding}`]
        batch.push(
          frameMessage(encodeLine({ app, source: 'app', process: 'web.v3.8fq2x', time: Date.now(), text }, 'node-1')),
        )
      }
      if (batch.length > 0) socket.write(Buffer.concat(batch))
    }
    lines = Math.max(lines, due)
    await delay(step)
  }
  return all
}

async function countAll(port: number, apps: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  let count = 0
  let next = 0
  const worker = async (): Promise<void> => {
    for (let i = next++; i < apps; i = next++) {
      const text = await textOf(agent, port, `/logs/app-${i}?log_lines=10000`)
      const numbers = [...text.matchAll(/: line (\d+) x/g)].map(match => Number(match[1]))
      count += new Set(numbers.filter(number => number % apps === i)).size
    }
  }
  await Promise.all(Array.from({ length: 4 }, worker))
  agent.destroy()
  return count
}

async function textOf(agent: Agent, port: number, path: string): Promise<string> {
  const sent = get({ host: '127.0.0.1', port, path, agent })
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  let text = ''
  for await (const part of answer.setEncoding('utf8')) text += part
  return text
}
