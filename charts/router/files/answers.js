// `helm test`: asks the router through its Services, as the cluster does. ROUTER and ADMIN are HOST:PORT. Prints what it
// found, and exits 1 if it is not what it should be after PATIENCE seconds: rules for Services may still be on their way
// to the node.

import { request } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

const { ROUTER, ADMIN, PROXY_PROTOCOL, DEFAULT_SERVICE, PATIENCE = '60' } = process.env

const checks = [
  { what: 'health', at: ADMIN, path: '/healthz', wanted: 200 },
  { what: 'health on the HTTP port', at: ROUTER, path: '/healthz', wanted: 200 },
]
// With a default service, what a stranger gets is that service's business.
if (DEFAULT_SERVICE !== 'true') checks.push({ what: 'a host that nobody has', at: ROUTER, path: '/', wanted: 404 })

/** The status of the answer; rejects if there is none in 5 s. */
function ask({ at, path }) {
  return new Promise((resolve, reject) => {
    const [host, port] = at.split(':')
    const createConnection = () => {
      const socket = connect(Number(port), host)
      if (PROXY_PROTOCOL === 'true' && at === ROUTER) socket.write('PROXY UNKNOWN\r\n')
      return socket
    }
    // On its admin port a router may want to be called by its address.
    const headers = { host: at === ADMIN ? at : 'nobody.invalid', connection: 'close' }
    const outgoing = request({ path, headers, createConnection, timeout: 5000 }, answer => {
      answer.resume()
      answer.on('end', () => resolve(answer.statusCode))
      answer.on('error', reject)
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in 5 s')))
    outgoing.on('error', reject)
    outgoing.end()
  })
}

const until = Date.now() + Number(PATIENCE) * 1000
for (const check of checks) {
  for (;;) {
    const found = await ask(check).catch(error => error.message)
    if (found === check.wanted) {
      console.log(`ok: ${check.what}: ${found}`)
      break
    }
    if (Date.now() > until) {
      console.error(`failed: ${check.what}, http://${check.at}${check.path}: ${found} instead of ${check.wanted}`)
      process.exit(1)
    }
    await delay(1000)
  }
}
