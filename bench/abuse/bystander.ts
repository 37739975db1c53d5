// A client beside an attack: asks the router for what it answers itself, again and again over one kept connection, until its
// input ends. The argument is the port; prints the 99th percentile of the times in milliseconds and how many requests
// failed, as JSON.

import { once } from 'node:events'
import { Agent, get } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { percentile } from '../support/statistics.ts'

/** Milliseconds between two requests. */
const pace = 3

const port = Number(process.argv[2])
const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
const times: number[] = []
let failed = 0
let over = false
process.stdin.resume().on('end', () => {
  over = true
})
while (!over) {
  const began = performance.now()
  const asked = get({ agent, host: '127.0.0.1', port, path: '/healthz', servername: 'b.example' })
  try {
    const [response] = await once(asked, 'response')
    response.resume()
    await once(response, 'end')
    if (response.statusCode === 200) times.push(performance.now() - began)
    else failed++
  } catch {
    failed++
  }
  await delay(pace)
}
agent.destroy()
console.log(JSON.stringify({ p99: percentile(times, 0.99) ?? 0, failed }))
