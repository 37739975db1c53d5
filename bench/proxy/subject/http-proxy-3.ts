// http-proxy-3, the proxy library that most Node programs reach for: one process, no cluster.

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { freePorts } from '../../support/ports.ts'
import { pinnedNode } from '../../support/router-process.ts'
import type { Workbench } from '../../support/workbench.ts'
import { accepts } from '../probe.ts'
import type { Serving, Subject, Work } from '../subject.ts'
import type { HttpProxy3Options } from './http-proxy-3-server.ts'

export const httpProxy3: Subject = {
  name: 'http-proxy-3',
  version: () => packageVersion() ?? 'unknown',
  absence: () => (packageVersion() === null ? 'http-proxy-3 is not installed (npm ci)' : null),
  canHttp2: false,
  canCompress: false,
  start,
}

async function start(bench: Workbench, work: Work): Promise<Serving> {
  const [port] = (await freePorts(1)) as [number]
  const stem = bench.path(`http-proxy-3-${work.name}`)
  const options: HttpProxy3Options = {
    port,
    backendPort: work.backendPort,
    hosts: work.hosts,
    accessLog: `${stem}.access.log`,
    tls: work.scheme === 'https' ? { cert: work.pair.chain, key: work.pair.key } : null,
  }
  writeFileSync(`${stem}.json`, JSON.stringify(options), { mode: 0o600 })
  const running = await bench.start({
    name: 'http-proxy-3',
    program: pinnedNode(),
    args: [fileURLToPath(import.meta.resolve('./http-proxy-3-server.ts')), `${stem}.json`],
    cpu: work.cpu,
  })
  await bench.untilReady(running, () => accepts(port))
  return { running, port, accessLog: options.accessLog }
}

function packageVersion(): string | null {
  try {
    const file = new URL('../../package.json', import.meta.resolve('http-proxy-3'))
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
  } catch {
    return null
  }
}
