import { getDiffieHellman } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { expect, test } from 'vitest'
import { dhBits } from './dh-parameters.ts'

function der(tag: number, body: Buffer): Buffer {
  const { length } = body
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), body])
}

function integer(octets: Buffer): Buffer {
  return der(0x02, octets[0]! < 0x80 ? octets : Buffer.concat([Buffer.from([0]), octets]))
}

function pem(body: Buffer): string {
  const lines = body
    .toString('base64')
    .match(/.{1,64}/g)!
    .join('\n')
  return `-----BEGIN DH PARAMETERS-----\n${lines}\n-----END DH PARAMETERS-----\n`
}

function parameters(prime: Buffer): string {
  return pem(der(0x30, Buffer.concat([integer(prime), integer(Buffer.from([2]))])))
}

for (const [group, bits] of [
  ['modp5', 1536],
  ['modp14', 2048],
  ['modp16', 4096],
] as const) {
  test(`§16 dhparam: ${group} has ${bits} bits, and the library takes it`, () => {
    const text = parameters(getDiffieHellman(group).getPrime())
    expect(dhBits(text)).toBe(bits)
    expect(() => createSecureContext({ dhparam: bits < 2048 ? 'auto' : text })).not.toThrow()
  })
}

const prime = Buffer.from([0x7f, 1])
const rows: [name: string, text: string, want: number | null][] = [
  ['a small one', parameters(prime), 15],
  ['text before it, as openssl writes', `DH Parameters: (15 bit)\n${parameters(prime)}`, 15],
  ['no PEM', 'hello', null],
  ['another kind of PEM', parameters(prime).replaceAll('DH PARAMETERS', 'PRIVATE KEY'), null],
  ['empty', pem(Buffer.from([0x30, 0])), null],
  ['cut off', pem(Buffer.from([0x30, 0x82, 1, 8, 2, 0x82])), null],
  ['without a generator', pem(der(0x30, integer(prime))), null],
  ['a prime of zero', parameters(Buffer.from([0])), null],
  ['a length of its own', pem(Buffer.from([0x30, 0x85, 1, 1, 1, 1, 1])), null],
]
for (const [name, text, want] of rows) test(`§16 dhparam: ${name}`, () => expect(dhBits(text)).toBe(want))
