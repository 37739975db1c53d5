// Who keeps the connections: our router with one data thread, and nginx with one worker.

import { writeFileSync } from 'node:fs'
import { selfSign } from '#kit/self-signed.ts'
import { accepts } from '../proxy/probe.ts'
import { nginxProcess, nginxTempPaths } from '../proxy/subject/nginx.ts'
import { findProgram } from '../support/machine.ts'
import { routerDeployment, writeManifests } from '../support/manifests.ts'
import { freePorts } from '../support/ports.ts'
import { startRouter } from '../support/router-process.ts'
import type { Workbench } from '../support/workbench.ts'
import type { Scheme } from './connections.ts'

export interface Keeper {
  readonly pid: number
  readonly port: number
}

export interface Subject {
  readonly name: string
  readonly absence: () => string | null
  readonly start: (bench: Workbench, scheme: Scheme) => Promise<Keeper>
}

const router: Subject = {
  name: 'router',
  absence: () => null,
  async start(bench, scheme) {
    const directory = bench.path(`manifests-${scheme}`)
    writeManifests(directory, [[routerDeployment()]])
    const { running, httpPort, httpsPort } = await startRouter(bench, {
      routes: { kind: 'manifests', directory },
      workers: 1,
      // As the image has it (Dockerfile).
      env: { MALLOC_ARENA_MAX: '2' },
    })
    return { pid: running.pid, port: scheme === 'http' ? httpPort : httpsPort }
  },
}

const nginx: Subject = {
  name: 'nginx',
  absence: () => (findProgram('nginx') === null ? 'no nginx on this machine' : null),
  async start(bench, scheme) {
    const [port] = (await freePorts(1)) as [number]
    const stem = bench.path(`nginx-${scheme}`)
    const { chain, key } = selfSign(['idle.bench.example'], 30, Date.now())
    writeFileSync(`${stem}.crt`, chain)
    writeFileSync(`${stem}.key`, key, { mode: 0o600 })
    writeFileSync(`${stem}.conf`, configuration(scheme, port, stem))
    const args = ['-e', `${stem}.error.log`, '-c', `${stem}.conf`]
    const running = await bench.start({ name: 'nginx', program: findProgram('nginx')!, args })
    await bench.untilReady(running, () => accepts(port))
    return { pid: running.pid, port }
  },
}

export const subjects: readonly Subject[] = [router, nginx]

function configuration(scheme: Scheme, port: number, stem: string): string {
  return `
${nginxProcess(stem)}
events { worker_connections 16384; }
http {
  ${nginxTempPaths(stem)}
  access_log off;
  keepalive_timeout 3600s;
  ssl_certificate ${stem}.crt;
  ssl_certificate_key ${stem}.key;
  ssl_protocols TLSv1.3;
  server { listen 127.0.0.1:${port}${scheme === 'https' ? ' ssl' : ''}; location / { return 200 "ok"; } }
}
`
}
