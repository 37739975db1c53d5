// Who visits apps through a router on 127.0.0.1: each request and handshake on a connection of its own.

import { request } from 'node:http'
import { connect as connectTls } from 'node:tls'

export interface Visit {
  readonly status: number
  readonly body: string
  readonly location: string | undefined
}

export function ask(port: number, host: string, path = '/'): Promise<Visit> {
  const { promise, resolve, reject } = Promise.withResolvers<Visit>()
  const outgoing = request({ host: '127.0.0.1', port, path, headers: { host }, agent: false, timeout: 10_000 })
  outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in 10 s')))
  outgoing.on('error', reject)
  outgoing.on('response', async answer => {
    try {
      const body = Buffer.concat(await answer.toArray()).toString()
      resolve({ status: answer.statusCode!, body, location: answer.headers.location })
    } catch (error) {
      reject(error)
    }
  })
  outgoing.end()
  return promise
}

/** Of the certificate that a handshake for this name shows. */
export function fingerprintOf(port: number, name: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = connectTls({ host: '127.0.0.1', port, servername: name, rejectUnauthorized: false }, () => {
    resolve(socket.getPeerCertificate().fingerprint256)
    socket.destroy()
  })
  socket.on('error', reject)
  return promise
}
