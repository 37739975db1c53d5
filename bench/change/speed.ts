// How long a change takes to reach traffic: written to the API, then asked for again and again, one request after the
// other on one connection, until an answer shows it. The time includes that last request.

import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'node:tls'
import { Client } from 'undici'
import { selfSign } from '#kit/self-signed.ts'
import { type App, appNamespace, certificateSecret, endpointSliceOf, serviceOf } from '../support/manifests.ts'
import type { RouterProcess } from '../support/router-process.ts'
import type { ClusterApi } from './cluster-api.ts'

/** A kind of change and the milliseconds that each of its changes took. */
export interface ChangeTimes {
  readonly change: string
  readonly milliseconds: readonly number[]
}

interface SpeedSetting {
  readonly api: ClusterApi
  readonly router: RouterProcess
  /** An app that is live already, with a certificate, on port A. */
  readonly app: App
  readonly ports: { readonly a: number; readonly b: number }
  readonly count: number
}

/** Longer than this, a change counts as lost, and the bench ends with an error. */
const patience = 10_000

/** All kinds of change, `count` of each. */
export async function measureSpeed(setting: SpeedSetting): Promise<ChangeTimes[]> {
  const { api, app, ports, router } = setting
  const host = app.hosts[0]!
  const fresh = (index: number): App => ({ ...app, name: `new-${index}`, hosts: [`new-${index}.bench.example`] })
  const result: ChangeTimes[] = []

  result.push(
    await repeat(setting, 'route added', async index => {
      const added = fresh(index)
      await api.apply(endpointSliceOf(added))
      return timed(
        router,
        added.hosts[0]!,
        () => api.apply(serviceOf(added)),
        answer => answer.status === 200,
      )
    }),
  )
  result.push(
    await repeat(setting, 'endpoint moved', index => {
      const [port, letter] = index % 2 === 0 ? [ports.b, 'B'] : [ports.a, 'A']
      const move = () => api.apply(endpointSliceOf({ ...app, port }))
      return timed(router, host, move, ({ status, body }) => status === 200 && body.startsWith(letter))
    }),
  )
  result.push(
    await repeat(setting, 'route removed', async index => {
      const removed = fresh(index)
      const took = await timed(
        router,
        removed.hosts[0]!,
        () => api.delete(serviceOf(removed)),
        ({ status }) => status === 404,
      )
      await api.delete(endpointSliceOf(removed))
      return took
    }),
  )
  result.push(
    await repeat(setting, 'certificate changed', async () => {
      const pair = selfSign([host], 30, Date.now())
      const secret = certificateSecret(appNamespace, app.certificate!, pair)
      const started = performance.now()
      const [shown] = await Promise.all([
        until('the new certificate', async () => (await handshake(router.httpsPort, host)) === pair.fingerprint),
        api.apply(secret),
      ])
      return shown - started
    }),
  )
  return result
}

/** SHA-256 of the certificate that a full handshake for this name is shown. */
function handshake(port: number, servername: string): Promise<string> {
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

async function repeat(
  { count }: SpeedSetting,
  change: string,
  once: (index: number) => Promise<number>,
): Promise<ChangeTimes> {
  const milliseconds: number[] = []
  for (let index = 0; index < count; index++) {
    milliseconds.push(await once(index))
    // Changes come at any moment of the router's own rhythm.
    await delay(randomInt(5, 40))
  }
  return { change, milliseconds }
}

interface Answer {
  readonly status: number
  readonly body: string
}

/** A connection of its own for each change: with several data threads, different ones are asked. */
async function timed(
  { httpPort }: RouterProcess,
  host: string,
  write: () => Promise<void>,
  shows: (answer: Answer) => boolean,
): Promise<number> {
  const client = new Client(`http://127.0.0.1:${httpPort}`)
  const ask = async (): Promise<Answer> => {
    const { statusCode, body } = await client.request({ method: 'GET', path: '/', headers: { host } })
    return { status: statusCode, body: await body.text() }
  }
  try {
    if (shows(await ask())) throw new Error(`${host} shows the change before it was made`)
    const started = performance.now()
    const [shown] = await Promise.all([until(`the change of ${host}`, async () => shows(await ask())), write()])
    return shown - started
  } finally {
    await client.destroy()
  }
}

/** The time at which `check` held first. */
async function until(what: string, check: () => Promise<boolean>): Promise<number> {
  const deadline = performance.now() + patience
  for (;;) {
    const holds = await check()
    const now = performance.now()
    if (holds) return now
    if (now > deadline) throw new Error(`${what} did not show within ${patience / 1_000} s`)
  }
}
