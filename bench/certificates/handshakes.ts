// Full handshakes for many names, each with a look at what was shown.

import { once } from 'node:events'
import { connect } from 'node:tls'

/** Milliseconds from connecting to the end of the handshake. Throws when another name's certificate is shown. */
export async function shakeHands(port: number, name: string): Promise<number> {
  const started = performance.now()
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername: name,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
  })
  await once(socket, 'secureConnect')
  const elapsed = performance.now() - started
  const shown = socket.getPeerX509Certificate()?.subjectAltName
  socket.destroy()
  if (shown !== `DNS:${name}`) throw new Error(`${name} was shown the certificate of ${shown ?? 'nobody'}`)
  return elapsed
}

/** One for each name, `atOnce` of them at a time; the times are in no order. */
export async function shakeAll(port: number, names: readonly string[], atOnce: number): Promise<readonly number[]> {
  const times: number[] = []
  const waiting = names.values()
  const work = async (): Promise<void> => {
    for (const name of waiting) times.push(await shakeHands(port, name))
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return times
}
