// How long a new config of a running app takes until the new release answers through the router, on a real Kubernetes of
// one node, and how much of that is Kubernetes' own: from the pod's object to the pod being ready. `npm run bench:deploy`.

import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import { Platform } from '#test/cluster/platform.ts'
import { ask } from '#test/cluster/visitor.ts'
import { commandLine, exitOnMistake, wholeNumber } from '../support/arguments.ts'
import { describeMachine } from '../support/machine.ts'
import { saveResult } from '../support/results.ts'
import { spread } from '../support/statistics.ts'

interface Pod {
  readonly metadata: { readonly name: string }
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

interface Sample {
  /** From sending the config to the first answer of a new pod. */
  readonly total: number
  /** From the pod's object to the pod being ready. */
  readonly kubernetes: number
  /** The difference: what controller, Deployment and router take. */
  readonly rest: number
}

const args = process.argv.slice(2)
const command = exitOnMistake(new Command('npm run bench:deploy --'))
  .description('Measures how long a config change takes to be answered by the new release. See bench/README.md.')
  .option('--changes <n>', 'changes of the config', wholeNumber, 20)
  .parse(args, { from: 'user' })
const { changes } = command.opts<{ changes: number }>()

const host = 'www.example.com'
const platform = new Platform()

async function podThatAnswers(): Promise<string | null> {
  const { status, body } = await ask(platform.httpPort, host)
  return status === 200 ? (JSON.parse(body) as { pod: string }).pod : null
}

/** When our own eyes see the pod's object, and see it ready. */
async function watchPods(signal: AbortSignal, times: Map<string, { seen: number; ready: number }>): Promise<void> {
  while (!signal.aborted) {
    const { items } = await platform.api.request<{ items: readonly Pod[] }>('GET', '/api/v1/namespaces/shop/pods')
    for (const { metadata, status } of items) {
      const known = times.get(metadata.name) ?? { seen: performance.now(), ready: 0 }
      times.set(metadata.name, known)
      const ready = status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True')
      if (ready && known.ready === 0) known.ready = performance.now()
    }
    await delay(10)
  }
}

try {
  await platform.start()
  const probe = { httpGet: { port: 8080, path: '/healthz' }, periodSeconds: 1 }
  await platform.call('POST', '/apps/', { id: 'shop' })
  const healthcheck = { 'web/cmd': { readinessProbe: probe } }
  await platform.call('POST', '/apps/shop/config/', { values: { PORT: '8080' }, healthcheck })
  await platform.call('POST', '/apps/shop/domains/', { domain: host })
  await platform.call('POST', '/apps/shop/builds/', { image: 'localhost/echo:1' })
  const stop = new AbortController()
  const pods = new Map<string, { seen: number; ready: number }>()
  const watching = watchPods(stop.signal, pods)
  const samples: Sample[] = []
  for (let change = 0; change < changes; change++) {
    const before = await podThatAnswers()
    const began = performance.now()
    const answer = platform.call('POST', '/apps/shop/config/', { values: { CHANGE: String(change) } })
    let now = before
    while (now === before || now === null) {
      now = await podThatAnswers()
      await delay(5)
    }
    const total = performance.now() - began
    const { status, body } = await answer
    if (status !== 201) throw new Error(`the config was not taken: ${JSON.stringify(body)}`)
    const { seen, ready } = pods.get(now)!
    samples.push({ total, kubernetes: ready - seen, rest: total - (ready - seen) })
  }
  stop.abort()
  await watching
  const times = (key: keyof Sample) => {
    const { median, min, max } = spread(samples.map(sample => sample[key]))!
    return { median: Math.round(median), min: Math.round(min), max: Math.round(max) }
  }
  const milliseconds = { total: times('total'), kubernetes: times('kubernetes'), rest: times('rest') }
  console.log('milliseconds of a new config:   median   min-max')
  for (const [what, { median, min, max }] of Object.entries(milliseconds))
    console.log(`${what.padEnd(30)}${String(median).padStart(8)}   ${min}-${max}`)
  const head = {
    date: new Date().toISOString(),
    command: commandLine('bench:deploy', args),
    machine: describeMachine(),
  }
  console.log(`Kept as ${saveResult('deploy', { ...head, changes, milliseconds, samples }, null)}`)
} finally {
  await platform.stop()
}
