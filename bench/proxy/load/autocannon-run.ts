// The process behind `autocannon.ts`: `node autocannon-run.ts PLAN.json` prints autocannon's result as JSON.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { LoadPlan } from '../load.ts'

interface Client {
  setHeaders(headers: Readonly<Record<string, string>>): void
  on(event: 'response', listener: () => void): void
}

/** The part of autocannon that we use; it ships no types. */
type Autocannon = (options: {
  readonly url: string
  readonly method: string
  readonly connections: number
  readonly duration: number
  readonly timeout: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly tlsOptions?: { readonly rejectUnauthorized: boolean }
  readonly setupClient: (client: Client) => void
}) => Promise<object>

const run = createRequire(import.meta.url)('autocannon') as Autocannon
const plan = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as LoadPlan
const draw = () => ({
  Host: plan.hosts[Math.floor(Math.random() * plan.hosts.length)]!,
  ...(plan.asksForGzip ? { 'Accept-Encoding': 'gzip' } : {}),
})

const result = await run({
  url: `${plan.scheme}://127.0.0.1:${plan.port}${plan.path}`,
  method: plan.method,
  connections: plan.connections,
  duration: plan.seconds,
  timeout: 5,
  headers: draw(),
  ...(plan.requestBytes === 0 ? {} : { body: 'x'.repeat(plan.requestBytes) }),
  ...(plan.scheme === 'https' ? { tlsOptions: { rejectUnauthorized: false } } : {}),
  setupClient: client => {
    client.setHeaders(draw())
    if (plan.hosts.length > 1) client.on('response', () => client.setHeaders(draw()))
  },
})
process.stdout.write(JSON.stringify(result))
