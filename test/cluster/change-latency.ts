// How long a change of an object takes until the router's answers show it: from before it is written to the API server
// to the end of the first answer, or handshake, that shows it. Asked for again and again, one after the other.

import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'node:tls'
import { Client } from 'undici'
import { selfSign } from '#kit/self-signed.ts'
import { echoService } from './echo-app.ts'
import {
  appName,
  appNamespace,
  type Installation,
  mergePatch,
  paths,
  type RouterPorts,
  routerNamespace,
} from './installation.ts'

/** A kind of change and the milliseconds that each of its changes took. */
export interface ChangeTimes {
  readonly change: string
  /** What the 99th percentile should not exceed, milliseconds. */
  readonly goal: number
  readonly milliseconds: readonly number[]
}

/** Longer than this, a change counts as lost. */
const patience = 10_000

/**
 * Every kind of change, `count` of each, with one router pod behind the ports. The app must have two pods or more. What is
 * made for it is removed again.
 */
export async function measureChanges(
  installation: Installation,
  ports: RouterPorts,
  count: number,
): Promise<readonly ChangeTimes[]> {
  const { api } = installation
  const services = paths.services(appNamespace)
  const post = (path: string, object: object) => api.request('POST', path, object)
  const annotate = (path: string, annotations: Readonly<Record<string, string | null>>) =>
    api.request('PATCH', path, { metadata: { annotations } }, mergePatch)
  const ask = (host: string, shows: (answer: Answer) => boolean, write: () => Promise<unknown>) =>
    timed(ports.http, host, shows, write)

  await post(services, echoService('toggled', appName, { domains: 'toggled.shop.test' }))
  await settled(ports.http, 'toggled.shop.test', ({ status }) => status === 200)
  const service = await repeat(count, index => {
    const maintenance = index % 2 === 0
    return ask(
      'toggled.shop.test',
      ({ status }) => status === (maintenance ? 503 : 200),
      () => annotate(`${services}/toggled`, { 'router.deis.io/maintenance': String(maintenance) }),
    )
  })
  await api.request('DELETE', `${services}/toggled`)

  const pods = await readyPods(installation)
  await post(services, echoService('moved', null, { domains: 'moved.shop.test' }))
  await post(paths.endpointSlices(appNamespace), sliceOf('moved', pods[0]!.address))
  await settled(ports.http, 'moved.shop.test', ({ pod }) => pod === pods[0]!.name)
  const endpoints = await repeat(count, index => {
    const { name, address } = pods[(index + 1) % 2]!
    return ask(
      'moved.shop.test',
      ({ pod }) => pod === name,
      () =>
        api.request(
          'PATCH',
          `${paths.endpointSlices(appNamespace)}/moved-1`,
          { endpoints: [endpointOf(address)] },
          mergePatch,
        ),
    )
  })
  await api.request('DELETE', `${services}/moved`)
  await api.request('DELETE', `${paths.endpointSlices(appNamespace)}/moved-1`).catch(() => {})

  const secret = `${paths.secrets(appNamespace)}/${appName}-cert`
  const certificate = await repeat(count, async () => {
    const pair = selfSign(['www.shop.test'], 30, Date.now())
    const data = { stringData: { 'tls.crt': pair.chain, 'tls.key': pair.key } }
    const started = performance.now()
    const [shown] = await Promise.all([
      until('the certificate', async () => (await handshake(ports.https, 'www.shop.test')) === pair.fingerprint),
      api.request('PATCH', secret, data, mergePatch),
    ])
    return shown - started
  })

  const workload = `${paths.deployments(routerNamespace)}/deis-router`
  await post(services, echoService('short', appName, { domains: 'short' }))
  await settled(ports.http, 'short.anything.test', ({ status }) => status === 200)
  const settings = await repeat(count, index => {
    // Without a platform domain, the short name answers below every domain.
    const domain = index % 2 === 0 ? 'apps.test' : null
    return ask(
      'short.anything.test',
      ({ status }) => status === (domain ? 404 : 200),
      () => annotate(workload, { 'router.deis.io/nginx.platformDomain': domain }),
    )
  })
  await annotate(workload, { 'router.deis.io/nginx.platformDomain': null })
  await api.request('DELETE', `${services}/short`)

  return [
    { change: 'annotation of an app Service', goal: 50, milliseconds: service },
    { change: 'EndpointSlice', goal: 50, milliseconds: endpoints },
    { change: 'certificate Secret', goal: 50, milliseconds: certificate },
    { change: 'annotation of the router Deployment', goal: 200, milliseconds: settings },
  ]
}

interface Answer {
  readonly status: number
  readonly pod: string
}

interface Slices {
  readonly items: readonly {
    readonly endpoints?:
      | readonly {
          readonly addresses: readonly string[]
          readonly conditions: { readonly ready: boolean }
          readonly targetRef: { readonly name: string }
        }[]
      | null
  }[]
}

async function readyPods({ api }: Installation): Promise<readonly { name: string; address: string }[]> {
  const selector = `?labelSelector=kubernetes.io/service-name%3D${appName}`
  const { items } = await api.request<Slices>('GET', paths.endpointSlices(appNamespace) + selector)
  const ready = items.flatMap(({ endpoints }) => endpoints ?? []).filter(({ conditions }) => conditions.ready)
  if (ready.length < 2) throw new Error(`${appName} has ${ready.length} ready pods; two are needed`)
  return ready.map(({ targetRef, addresses }) => ({ name: targetRef.name, address: addresses[0]! }))
}

function endpointOf(address: string): object {
  return { addresses: [address], conditions: { ready: true } }
}

function sliceOf(service: string, address: string): object {
  return {
    metadata: { name: `${service}-1`, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: [endpointOf(address)],
  }
}

async function repeat(count: number, once: (index: number) => Promise<number>): Promise<readonly number[]> {
  const milliseconds: number[] = []
  for (let index = 0; index < count; index++) {
    milliseconds.push(await once(index))
    // Changes come at any moment of the router's own rhythm.
    await delay(randomInt(5, 40))
  }
  return milliseconds
}

/** A connection of its own for each change: with several data threads, different ones are asked. */
async function timed(
  port: number,
  host: string,
  shows: (answer: Answer) => boolean,
  write: () => Promise<unknown>,
): Promise<number> {
  return asking(port, host, async ask => {
    // Another data thread may be a moment behind with what came before.
    await until(`the state of ${host} before its change`, async () => !shows(await ask()))
    const started = performance.now()
    const [shown] = await Promise.all([until(`the change of ${host}`, async () => shows(await ask())), write()])
    return shown - started
  })
}

async function settled(port: number, host: string, shows: (answer: Answer) => boolean): Promise<void> {
  await asking(port, host, ask => until(host, async () => shows(await ask())))
}

async function asking<T>(port: number, host: string, use: (ask: () => Promise<Answer>) => Promise<T>): Promise<T> {
  const client = new Client(`http://127.0.0.1:${port}`)
  try {
    return await use(async () => {
      const { statusCode, headers, body } = await client.request({ method: 'GET', path: '/', headers: { host } })
      await body.dump()
      return { status: statusCode, pod: String(headers['x-pod'] ?? '') }
    })
  } finally {
    await client.destroy()
  }
}

/** SHA-256 of the certificate that a full handshake for this name is shown. */
export function handshake(port: number, servername: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false })
    socket.setTimeout(patience, () => socket.destroy(new Error('no handshake')))
    socket.on('error', reject)
    socket.on('secureConnect', () => {
      resolve(socket.getPeerX509Certificate()!.fingerprint256)
      socket.destroy()
    })
  })
}

/** The time at which `check` held first. */
async function until(what: string, check: () => Promise<boolean>): Promise<number> {
  const deadline = performance.now() + patience
  for (;;) {
    const holds = await check()
    const now = performance.now()
    if (holds) return now
    if (now > deadline) throw new Error(`${what} did not show within ${patience / 1000} s`)
  }
}
