// `helm test`: asks each service as the others do. CHECKS is a list of {what, url} and {what, host, port, greeting}. Prints
// what it found, and exits 1 if one does not answer as it should for PATIENCE seconds: rules for Services may still be on
// their way to the node.

import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

const { CHECKS, PATIENCE = '60' } = process.env

/** What is wrong with it; null: nothing. */
async function fault({ url, host, port, greeting }) {
  const signal = AbortSignal.timeout(5000)
  if (url !== undefined) {
    const response = await fetch(url, { signal })
    await response.body?.cancel()
    // A registry that wants tokens answers 401.
    return [200, 401].includes(response.status) ? null : `status ${response.status}`
  }
  const socket = connect(port, host)
  try {
    const [octets] = await once(socket, 'data', { signal })
    return octets.toString('latin1').startsWith(greeting) ? null : 'another greeting'
  } finally {
    socket.destroy()
  }
}

const until = Date.now() + Number(PATIENCE) * 1000
for (const check of JSON.parse(CHECKS)) {
  for (;;) {
    const found = await fault(check).catch(error => error.cause?.message ?? error.message)
    if (found === null) {
      console.log(`ok: ${check.what}`)
      break
    }
    if (Date.now() > until) {
      console.error(`failed: ${check.what}, ${check.url ?? `${check.host}:${check.port}`}: ${found}`)
      process.exit(1)
    }
    await delay(1000)
  }
}
