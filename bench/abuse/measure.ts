// What an attack does to a router: how soon it is over, what a client beside it feels, and what memory it takes.

import { type ChildProcess, spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import type { Attack } from '#test/support/http2-attacks.ts'
import type { Site } from '#test/support/site.ts'
import { treeResidentSize } from '../support/process-stat.ts'

export interface Damage {
  readonly attack: string
  /** Connections that were attacked on, and how long the one that lasted longest did, in milliseconds. */
  readonly connections: number
  readonly longest: number
  /** 99th percentile of a bystander's requests, in milliseconds, before and meanwhile, and how many of them failed. */
  readonly before: number
  readonly meanwhile: number
  readonly failed: number
  /** Resident octets more than before, at most. */
  readonly memory: number
}

export interface Felt {
  readonly p99: number
  readonly failed: number
}

/** What a client feels while `run` does. */
async function beside(port: number, run: () => Promise<unknown>): Promise<Felt> {
  const child = start('./bystander.ts', [String(port)])
  await run()
  child.process.stdin?.end()
  return JSON.parse(await child.output) as Felt
}

function start(program: string, args: readonly string[]): { process: ChildProcess; output: Promise<string> } {
  const path = new URL(program, import.meta.url).pathname
  const child = spawn(process.execPath, [path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  return { process: child, output: text(child.stdout) }
}

/** What a client feels when nobody attacks. */
export function measurePeace({ ports }: Site): Promise<Felt> {
  return beside(ports.https, () => delay(1500))
}

/** Attacks for `seconds`. */
export async function measureAttack(site: Site, attack: Attack, seconds: number, before: Felt): Promise<Damage> {
  const { https: port } = site.ports
  const resident = treeResidentSize(site.pid)
  let peak = resident
  const watch = setInterval(() => {
    peak = Math.max(peak, treeResidentSize(site.pid))
  }, 100)
  let lasted: readonly number[] = []
  const meanwhile = await beside(port, async () => {
    lasted = JSON.parse(await start('./attacker.ts', [String(port), attack.name, String(seconds)]).output)
  })
  clearInterval(watch)
  return {
    attack: attack.name,
    connections: lasted.length,
    longest: Math.max(...lasted),
    before: before.p99,
    meanwhile: meanwhile.p99,
    failed: before.failed + meanwhile.failed,
    memory: peak - resident,
  }
}

/** The router as attacks find it: one data thread, one app. */
export const siteOptions = {
  answer(request: { url?: string }, response: { end(body: string): void }): void {
    response.end(request.url === '/large' ? large : 'ok')
  },
}
const large = 'x'.repeat(1_000_000)
