// One attack after the other for some seconds, each on a connection of its own: arguments are the port, the name of the
// attack and the seconds. Prints how long each connection lasted, in milliseconds, as JSON.

import { FramePeer } from '#test/support/frame-peer.ts'
import { attacks } from '#test/support/http2-attacks.ts'

/** An attack that nothing ends is over then, and counts as that. */
const patience = 10_000

const [port, name, seconds] = process.argv.slice(2)
const attack = attacks.find(one => one.name === name)
if (attack === undefined) throw new Error(`no such attack: ${name}`)
const end = performance.now() + Number(seconds) * 1000
const lasted: number[] = []
do {
  const peer = await FramePeer.open(Number(port), 'a.example', ...(attack.settings ?? []))
  const began = performance.now()
  const timer = setTimeout(() => peer.socket.destroy(), patience)
  await attack.run(peer, 'a.example')
  await peer.closed()
  clearTimeout(timer)
  lasted.push(performance.now() - began)
} while (performance.now() < end)
console.log(JSON.stringify(lasted))
