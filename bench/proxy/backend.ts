// The server behind every proxy: nginx when the machine has it, else a small Node server. It serves
//   GET  /1k         1,024 bytes          GET  /1m         1,000,000 bytes
//   GET  /json       16,384 bytes of JSON
//   POST /upload     `ok`, after the whole body was read
//   GET  /forwarded  what it was told: `X-Forwarded-For X-Forwarded-Proto X-Forwarded-Port`
// and counts, so that the requests of a measured interval are known exactly.

import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { findProgram, programVersion } from '../support/machine.ts'
import { freePorts } from '../support/ports.ts'
import { pinnedNode } from '../support/router-process.ts'
import type { Running, Workbench } from '../support/workbench.ts'
import { jsonBody } from './json-body.ts'
import { accepts, ask } from './probe.ts'
import { nginxProcess, nginxTempPaths } from './subject/nginx.ts'

/** Since the backend started, counting what asked for the counts too. */
export interface Counts {
  readonly requests: number
  readonly connections: number
}

export interface Backend {
  readonly name: string
  readonly running: Running
  readonly port: number
  counts(): Promise<Counts>
}

export async function startBackend(bench: Workbench, cpu: number | null): Promise<Backend> {
  const program = findProgram('nginx')
  const [port, statusPort] = (await freePorts(2)) as [number, number]
  const stem = bench.path('backend')
  if (program !== null) writeFiles(stem, port, statusPort)
  const running = await bench.start(
    program === null
      ? { name: 'backend', program: pinnedNode(), args: [nodeServer(), String(port), String(statusPort)], cpu }
      : { name: 'backend', program, args: ['-e', `${stem}.error.log`, '-c', `${stem}.conf`], cpu },
  )
  await bench.untilReady(running, async () => (await accepts(port)) && (await accepts(statusPort)))
  const version = program === null ? null : programVersion(program, ['-v'], /nginx\/(\S+)/)
  return {
    name: program === null ? `node ${process.versions.node}` : `nginx ${version}`,
    running,
    port,
    async counts() {
      const { body } = await ask({ scheme: 'http', port: statusPort, host: '127.0.0.1', path: '/status' })
      const counts = parseCounts(body.toString())
      if (counts === null) throw new Error(`the backend's counts cannot be read: ${body}`)
      return counts
    },
  }
}

/** Reads the text of nginx's `stub_status`, which our Node backend imitates: accepted, handled, requests. */
export function parseCounts(text: string): Counts | null {
  const match = /^ ([0-9]+) [0-9]+ ([0-9]+) $/m.exec(text)
  return match === null ? null : { connections: Number(match[1]), requests: Number(match[2]) }
}

function nodeServer(): string {
  return fileURLToPath(import.meta.resolve('./backend-server.ts'))
}

function writeFiles(stem: string, port: number, statusPort: number): void {
  writeFileSync(`${stem}.1m`, Buffer.alloc(1_000_000, 'x'))
  writeFileSync(`${stem}.json`, jsonBody)
  writeFileSync(`${stem}.conf`, configuration(stem, port, statusPort))
}

function configuration(stem: string, port: number, statusPort: number): string {
  // nginx answers an upload early when told to `return`; a mirror makes it read the body first. The static handler
  // then refuses POST with 405, which becomes the short answer.
  return `
${nginxProcess(stem)}
events { worker_connections 8192; }
http {
  ${nginxTempPaths(stem)}
  access_log off;
  default_type text/plain;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  client_max_body_size 0;
  client_body_buffer_size 64k;
  sendfile on;
  open_file_cache max=10;
  server {
    listen 127.0.0.1:${port};
    location = /1k { return 200 "${'x'.repeat(1_024)}"; }
    location = /1m { alias ${stem}.1m; }
    location = /json { default_type application/json; alias ${stem}.json; }
    location = /forwarded { return 200 "$http_x_forwarded_for $http_x_forwarded_proto $http_x_forwarded_port"; }
    location = /upload { mirror /read; error_page 405 =200 @ok; alias ${stem}.1m; }
    location = /read { internal; return 204; }
    location @ok { return 200 "ok"; }
  }
  server {
    listen 127.0.0.1:${statusPort};
    location = /status { stub_status; }
  }
}
`
}
