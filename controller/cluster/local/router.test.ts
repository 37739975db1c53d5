// The real router in front of processes of this machine: what a client sees while releases change.

import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { get as httpGet } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { selfSign } from '#kit/self-signed.ts'
import { type AppParts, desired, LocalStage, options, routing } from '#test/support/local-stage.ts'
import { type ManifestRouter, startManifestRouter } from '#test/support/manifest-router.ts'

const host = 'shop.example.com'
const domains = [{ domain: host, certificate: null }]

let stage: LocalStage
let router: ManifestRouter
beforeEach(async () => {
  stage = await LocalStage.start({ times: { handover: 1_000 } })
  router = await startManifestRouter(stage.manifests)
})
afterEach(async () => {
  await router[Symbol.asyncDispose]()
  await stage[Symbol.asyncDispose]()
})

const app = (parts: Partial<AppParts>) => desired({ image: stage.image, routing: { domains }, ...parts })

async function ask(name = host): Promise<{ status: number; body: string }> {
  const request = httpGet({ host: '127.0.0.1', port: router.httpPort, headers: { host: name }, agent: false })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return { status: response.statusCode!, body: await text(response) }
}

async function untilStatus(wanted: number, name = host): Promise<void> {
  while ((await ask(name)).status !== wanted) await delay(10)
}

test('no request fails while releases are rolled out, scaled, restarted and processes die', {
  timeout: 60_000,
}, async () => {
  const release = (version: number, count: number) =>
    app({ version, structure: { web: count }, config: { values: { TEXT: `v${version}` } } })
  await stage.cluster.deploy(release(2, 2), options())
  await untilStatus(200)
  const over = new AbortController()
  const seen: string[] = []
  const failed: string[] = []
  const client = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const { status, body } = await ask().catch((error: Error) => ({ status: 0, body: error.message }))
      if (status === 200) seen.push(body.split(' ')[0]!)
      else failed.push(`${status} ${body}`)
      await delay(10)
    }
  }
  const clients = Promise.all(Array.from({ length: 4 }, client))
  for (let version = 3; version <= 5; version++)
    await stage.cluster.deploy(release(version, version % 2 === 0 ? 3 : 2), options())
  await stage.cluster.scale(release(5, 3), options())
  await stage.cluster.scale(release(5, 1), options())
  const [process] = await stage.cluster.processes(release(5, 1).id, over.signal)
  await stage.cluster.restart(release(5, 1).id, [process!.name], over.signal)
  over.abort()
  await clients
  expect(failed).toEqual([])
  expect(new Set(seen)).toEqual(new Set(['v2', 'v3', 'v4', 'v5']))
  expect(stage.faults).toEqual([])
})

test('routing follows: domains, maintenance, a whitelist, certificates, not routable, scaled to nothing, destroyed', async () => {
  const { cluster } = stage
  await cluster.create(app({ structure: {} }), new AbortController().signal)
  await untilStatus(503)
  await cluster.deploy(app({}), options())
  await untilStatus(200)
  const publish = (parts: NonNullable<AppParts['routing']>) =>
    cluster.publish(app({ routing: { ...routing, domains, ...parts } }), new AbortController().signal)
  await publish({ maintenance: true })
  await untilStatus(503)
  await publish({ whitelist: ['10.1.2.3'] })
  await untilStatus(403)
  await publish({ httpsEnforced: true })
  await untilStatus(301)
  const other = 'other.example.com'
  const { chain, key, fingerprint } = selfSign([other], 1, Date.now())
  await publish({
    domains: [...domains, { domain: other, certificate: 'other' }],
    certificates: [{ name: 'other', chain, key }],
  })
  await untilStatus(200)
  await untilStatus(200, other)
  for (;;) if ((await fingerprintOf(other)) === fingerprint) break
  await publish({ routable: false })
  await untilStatus(404)
  await publish({})
  await untilStatus(200)
  await cluster.scale(app({ structure: { web: 0 } }), options())
  await untilStatus(503)
  await cluster.destroy(app({}), new AbortController().signal)
  await untilStatus(404)
})

async function fingerprintOf(servername: string): Promise<string> {
  const socket: TLSSocket = connectTls({
    host: '127.0.0.1',
    port: router.httpsPort,
    servername,
    rejectUnauthorized: false,
  })
  try {
    await once(socket, 'secureConnect')
    return socket.getPeerCertificate().fingerprint256
  } finally {
    socket.destroy()
  }
}
