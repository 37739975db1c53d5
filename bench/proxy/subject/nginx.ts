// nginx: one server block for each host, as the original Deis router generated them, all with one upstream pool.

import { writeFileSync } from 'node:fs'
import { findProgram, programVersion } from '../../support/machine.ts'
import { freePorts } from '../../support/ports.ts'
import type { Workbench } from '../../support/workbench.ts'
import { accepts } from '../probe.ts'
import type { Serving, Subject, Work } from '../subject.ts'

export const nginx: Subject = {
  name: 'nginx',
  version: () => programVersion('nginx', ['-v'], /nginx\/(\S+)/) ?? 'unknown',
  absence: () =>
    findProgram('nginx') === null ? 'no nginx on this machine (Debian: apt-get install nginx-light)' : null,
  canHttp2: true,
  canCompress: true,
  start,
}

async function start(bench: Workbench, work: Work): Promise<Serving> {
  const [port] = (await freePorts(1)) as [number]
  const stem = bench.path(`nginx-${work.name}`)
  const accessLog = `${stem}.access.log`
  writeFileSync(accessLog, '')
  writeFileSync(`${stem}.crt`, work.pair.chain)
  writeFileSync(`${stem}.key`, work.pair.key, { mode: 0o600 })
  writeFileSync(`${stem}.conf`, configuration(work, port, stem, accessLog))
  const running = await bench.start({
    name: 'nginx',
    program: findProgram('nginx')!,
    args: ['-e', `${stem}.error.log`, '-c', `${stem}.conf`],
    cpu: work.cpu,
  })
  await bench.untilReady(running, () => accepts(port))
  return { running, port, accessLog }
}

function configuration(work: Work, port: number, stem: string, accessLog: string): string {
  const listen = `listen 127.0.0.1:${port}${work.scheme === 'https' ? ' ssl' : ''}${work.protocol === 'h2' ? ' http2' : ''}`
  const servers = work.hosts.map(
    host => `server { ${listen}; server_name ${host}; location / { proxy_pass http://backend; } }`,
  )
  return `
${nginxProcess(stem, work.workers)}
events { worker_connections 8192; }
http {
  ${nginxTempPaths(stem)}
  access_log ${accessLog} combined buffer=64k flush=1s;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  server_names_hash_max_size 32768;
  server_names_hash_bucket_size 128;
  ${work.compresses ? compression : 'gzip off;'}
  client_max_body_size 0;
  client_body_buffer_size 64k;
  ssl_certificate ${stem}.crt;
  ssl_certificate_key ${stem}.key;
  ssl_protocols TLSv1.3;
  proxy_http_version 1.1;
  proxy_max_temp_file_size 0;
  proxy_buffers 16 64k;
  proxy_buffer_size 16k;
  proxy_busy_buffers_size 256k;
  proxy_set_header Connection "";
  proxy_set_header Host $host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Port $server_port;
  upstream backend {
    server 127.0.0.1:${work.backendPort};
    keepalive 1024;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
  }
  server { ${listen} default_server; return 404; }
  ${servers.join('\n  ')}
}
`
}

/** As the original Deis router set it. */
const compression =
  'gzip on; gzip_comp_level 5; gzip_http_version 1.1; gzip_min_length 256; gzip_proxied any; gzip_vary on; ' +
  'gzip_disable msie6; gzip_types application/json text/css text/plain application/javascript application/xml;'

/** In the foreground. As root, workers stay root: they must read the run's private directory. */
export function nginxProcess(stem: string, workers = 1): string {
  const user = process.getuid?.() === 0 ? 'user root;\n' : ''
  return `${user}daemon off;\nworker_processes ${workers};\nworker_rlimit_nofile 16384;\npid ${stem}.pid;`
}

/** Nothing is written outside the run's directory. */
export function nginxTempPaths(stem: string): string {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${stem}.${name};`)
  return paths.join('\n  ')
}
