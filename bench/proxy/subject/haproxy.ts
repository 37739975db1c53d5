// HAProxy: hosts are looked up in a map file, which is its way to many hosts.

import { writeFileSync } from 'node:fs'
import { findProgram, programVersion } from '../../support/machine.ts'
import { freePorts } from '../../support/ports.ts'
import type { Workbench } from '../../support/workbench.ts'
import { accepts } from '../probe.ts'
import type { Serving, Subject, Work } from '../subject.ts'

export const haproxy: Subject = {
  name: 'haproxy',
  version: () => programVersion('haproxy', ['-v'], /version (\S+)/) ?? 'unknown',
  absence: () =>
    findProgram('haproxy') === null ? 'no haproxy on this machine (Debian: apt-get install haproxy)' : null,
  canHttp2: true,
  canCompress: false,
  start,
}

async function start(bench: Workbench, work: Work): Promise<Serving> {
  const [port] = (await freePorts(1)) as [number]
  const stem = bench.path(`haproxy-${work.name}`)
  writeFileSync(`${stem}.pem`, work.pair.chain + work.pair.key, { mode: 0o600 })
  writeFileSync(`${stem}.map`, work.hosts.map(host => `${host} app\n`).join(''))
  writeFileSync(`${stem}.cfg`, configuration(work, port, stem))
  const running = await bench.start({
    name: 'haproxy',
    program: findProgram('haproxy')!,
    args: ['-db', '-f', `${stem}.cfg`],
    cpu: work.cpu,
  })
  await bench.untilReady(running, () => accepts(port))
  return { running, port, accessLog: running.stdout }
}

function configuration(work: Work, port: number, stem: string): string {
  // Larger buffers halve the cost of large bodies and add a tenth to that of small ones.
  const buffers = work.bulk ? '\n  tune.bufsize 65536' : ''
  const tls = work.scheme === 'https' ? ` ssl crt ${stem}.pem ssl-min-ver TLSv1.3 alpn ${work.protocol}` : ''
  return `
global
  nbthread ${work.workers}${buffers}
  maxconn 4096
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  option http-keep-alive
  http-reuse always
  timeout connect 10s
  timeout client 3600s
  timeout server 3600s
  timeout http-keep-alive 3600s
frontend edge
  bind 127.0.0.1:${port}${tls}
  option forwardfor
  http-request set-header X-Forwarded-Proto ${work.scheme}
  http-request set-header X-Forwarded-Port %[dst_port]
  use_backend %[req.hdr(host),field(1,:),lower,map_str(${stem}.map,nobody)]
backend app
  server backend 127.0.0.1:${work.backendPort}
backend nobody
  http-request return status 404
`
}
