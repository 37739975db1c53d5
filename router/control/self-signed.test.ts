import { createPrivateKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import { expect, test } from 'vitest'
import { createSelfSigned } from './self-signed.ts'

const years: [name: string, now: string, notAfter: string][] = [
  ['both dates in UTCTime', '2026-07-01T12:00:00Z', 'Jun 28 12:00:00 2036 GMT'],
  ['an end beyond 2049 in GeneralizedTime', '2045-03-01T00:00:00.750Z', 'Feb 27 00:00:00 2055 GMT'],
]
for (const [name, now, notAfter] of years)
  test(name, () => {
    const made = createSelfSigned(Date.parse(now))
    const read = new X509Certificate(made.chain)
    expect(read.validTo).toBe(notAfter)
    expect(made.notAfter).toBe(Date.parse(read.validTo))
    expect(made.fingerprint).toBe(read.fingerprint256)
    expect(read.checkPrivateKey(createPrivateKey(made.key))).toBe(true)
    expect(read.verify(read.publicKey)).toBe(true)
    expect(read.ca).toBe(false)
    expect(read.subjectAltName).toBe('DNS:deis-router.invalid')
  })

test('a TLS client that trusts it completes a handshake', async () => {
  const { chain, key } = createSelfSigned(Date.now())
  const server = createServer({ cert: chain, key }, socket => socket.end('hello')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    ca: chain,
    servername: 'deis-router.invalid',
  })
  await once(client, 'secureConnect')
  expect(client.authorized).toBe(true)
  client.destroy()
  server.close()
})

test('two starts make two keys and two serial numbers', () => {
  const [a, b] = [createSelfSigned(Date.now()), createSelfSigned(Date.now())]
  expect(a.key).not.toBe(b.key)
  expect(new X509Certificate(a.chain).serialNumber).not.toBe(new X509Certificate(b.chain).serialNumber)
})
