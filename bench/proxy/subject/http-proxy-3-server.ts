// The process behind `http-proxy-3.ts`: a host map in front of the library, and an access log that is written in blocks.

import { createWriteStream, readFileSync } from 'node:fs'
import { Agent, createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { createProxyServer } from 'http-proxy-3'

/** The file named by the first argument, as JSON. */
export interface HttpProxy3Options {
  readonly port: number
  readonly backendPort: number
  readonly hosts: readonly string[]
  readonly accessLog: string
  readonly tls: { readonly cert: string; readonly key: string } | null
}

const options = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as HttpProxy3Options

const log = createWriteStream(options.accessLog, { flags: 'a' })
let lines = ''
function flush(): void {
  if (lines !== '') log.write(lines)
  lines = ''
}
setInterval(flush, 1_000)

const proxy = createProxyServer({ agent: new Agent({ keepAlive: true, maxFreeSockets: 256 }), xfwd: true })
proxy.on('error', (_error, _request, response) => {
  if ('writeHead' in response && !response.headersSent) response.writeHead(502)
  response.end()
})

const target = { host: '127.0.0.1', port: options.backendPort }
const targets = new Map(options.hosts.map(host => [host, target]))

const serve: RequestListener = (request, response) => {
  const started = performance.now()
  response.on('close', () => {
    const took = ((performance.now() - started) / 1_000).toFixed(3)
    const { headers } = request
    lines += `[${new Date().toISOString()}] - ${request.socket.remoteAddress} - ${response.statusCode} - "${request.method} ${request.url} HTTP/${request.httpVersion}" - "${headers.referer ?? '-'}" - "${headers['user-agent'] ?? '-'}" - ${headers.host} - ${took}\n`
    if (lines.length > 65_536) flush()
  })
  const found = targets.get((headers => (headers.host ?? '').split(':', 1)[0]!.toLowerCase())(request.headers))
  if (found === undefined) response.writeHead(404).end()
  else proxy.web(request, response, { target: found })
}

const server = options.tls === null ? createServer(serve) : createTlsServer(options.tls, serve)
server.keepAliveTimeout = 0
server.listen(options.port, '127.0.0.1')
