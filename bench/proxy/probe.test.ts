import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { selfSign } from '#kit/self-signed.ts'
import { freePorts } from '../support/ports.ts'
import { Workbench } from '../support/workbench.ts'
import { cases } from './cases.ts'
import { accepts, checkWork } from './probe.ts'
import { httpProxy3 } from './subject/http-proxy-3.ts'
import { subjects } from './subjects.ts'

const hosts = ['a.bench.example', 'b.bench.example']

async function startNodeBackend(bench: Workbench): Promise<number> {
  const [port, statusPort] = (await freePorts(2)) as [number, number]
  const program = fileURLToPath(import.meta.resolve('./backend-server.ts'))
  const backend = await bench.start({
    name: 'backend',
    program: process.execPath,
    args: [program, String(port), String(statusPort)],
  })
  await bench.untilReady(backend, async () => (await accepts(port)) && (await accepts(statusPort)))
  return port
}

// What is absent on a machine is absent from its benches too.
for (const subject of subjects.filter(subject => subject.absence() === null))
  for (const [scheme, protocol, compresses] of [
    ['http', 'http/1.1', false],
    ['http', 'http/1.1', true],
    ['https', 'http/1.1', false],
    ['https', 'h2', false],
  ] as const) {
    if ((compresses && !subject.canCompress) || (protocol === 'h2' && !subject.canHttp2)) continue
    test(`${subject.name} does the work of every case of ${protocol} over ${scheme}${compresses ? ' that compresses' : ''}`, async () => {
      await using bench = new Workbench()
      const backendPort = await startNodeBackend(bench)
      const place = {
        name: scheme,
        scheme,
        protocol,
        pair: selfSign(hosts, 30, Date.now()),
        hosts,
        bulk: true,
        compresses,
        backendPort,
        workers: 1,
        cpu: null,
      }
      const serving = await subject.start(bench, place)
      const ours = cases.filter(
        work => work.scheme === scheme && work.protocol === protocol && (work.compression !== 'off') === compresses,
      )
      for (const work of ours) {
        const tls = await checkWork(work, serving, hosts)
        if (scheme === 'https') expect(tls).toMatch(/^TLSv1.3 /)
        else expect(tls).toBeNull()
      }
    }, 30_000)
  }

test('a proxy that does other work is found out', async () => {
  await using bench = new Workbench()
  const backendPort = await startNodeBackend(bench)
  const work = cases[0]!
  // The backend itself adds no X-Forwarded-* and takes any host.
  const direct = { running: null as never, port: backendPort, accessLog: '' }
  await expect(checkWork(work, direct, hosts)).rejects.toThrow('an unknown host was answered 200, not 404')
  await expect(checkWork({ ...work, answerBytes: 7 }, direct, hosts)).rejects.toThrow(/gave 1024 bytes, not 7/)
  const place = {
    name: 'x',
    scheme: 'http',
    protocol: 'http/1.1',
    pair: selfSign(hosts, 30, Date.now()),
    hosts,
    bulk: false,
    compresses: false,
    backendPort,
    workers: 1,
    cpu: null,
  } as const
  const serving = await httpProxy3.start(bench, place)
  await expect(checkWork(work, serving, ['c.bench.example'])).rejects.toThrow(/c.bench.example was answered 404/)
})
