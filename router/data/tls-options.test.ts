import { constants } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { expect, test } from 'vitest'
import type { TlsSettings } from '#router/model/settings.ts'
import { defaultSettings } from '#test/support/data-thread.ts'
import { cachesSessions, recordSize, tlsOptions } from './tls-options.ts'

function settings(overrides: Partial<TlsSettings> = {}): TlsSettings {
  return { ...defaultSettings().tls, ...overrides }
}

const protocols: [listed: string, min: string, max: string][] = [
  ['TLSv1.2 TLSv1.3', 'TLSv1.2', 'TLSv1.3'],
  ['TLSv1.3', 'TLSv1.3', 'TLSv1.3'],
  ['TLSv1.2', 'TLSv1.2', 'TLSv1.2'],
  ['TLSv1 TLSv1.1 TLSv1.2', 'TLSv1', 'TLSv1.2'],
  ['TLSv1.3 TLSv1.1', 'TLSv1.1', 'TLSv1.3'],
  ['SSLv2 SSLv3 TLSv1.2', 'TLSv1.2', 'TLSv1.2'],
  ['SSLv3', 'TLSv1.2', 'TLSv1.3'],
]
for (const [listed, minVersion, maxVersion] of protocols) {
  test(`§16 ssl.protocols "${listed}": ${minVersion} to ${maxVersion}`, () => {
    expect(tlsOptions(settings({ protocols: listed.split(' ') }))).toMatchObject({ minVersion, maxVersion })
  })
}

const suites: [name: string, protocols: string[], ciphers: string | null, want: string | undefined][] = [
  ['none: the list of the library', ['TLSv1.2'], null, undefined],
  ['a list', ['TLSv1.2'], '[HIGH|FOO]:!aNULL', 'HIGH:!aNULL'],
  ['nothing usable: the list of the library', ['TLSv1.2'], 'FOO', undefined],
  ['old versions need the lowest level', ['TLSv1'], null, 'DEFAULT:@SECLEVEL=0'],
  ['old versions and a list', ['TLSv1.1', 'TLSv1.3'], 'HIGH', 'HIGH:@SECLEVEL=0'],
  ['old versions and a level of their own', ['TLSv1.1'], 'HIGH:@SECLEVEL=1', 'HIGH:@SECLEVEL=1'],
]
for (const [name, listed, ciphers, want] of suites) {
  test(`§16 ssl.ciphers: ${name}`, () => {
    const options = tlsOptions(settings({ protocols: listed, ciphers }))
    expect(options.ciphers).toBe(want)
    expect(options.honorCipherOrder).toBe(true)
    expect(() => createSecureContext(options)).not.toThrow()
  })
}

const timeouts: [sessionCache: string, sessionTimeout: number, want: number | undefined, caches: boolean][] = [
  ['', 600_000, undefined, false],
  ['off', 600_000, 600, false],
  ['none', 600_000, 600, false],
  ['builtin', 600_000, 600, true],
  ['builtin', 600_001, 601, true],
  ['builtin', 1500, 2, true],
  ['builtin', 500, 1, true],
  ['builtin', 0, 1, true],
  ['shared:SSL:10m', 3_600_000, 3600, true],
  ['builtin:1000 shared:SSL:10m', 365 * 86_400_000, 604_800, true],
]
for (const [sessionCache, sessionTimeout, want, caches] of timeouts) {
  test(`§4 ssl.sessionTimeout ${sessionTimeout} with sessionCache "${sessionCache}"`, () => {
    const tls = settings({ sessionCache, sessionTimeout })
    expect(tlsOptions(tls).sessionTimeout).toBe(want)
    expect(cachesSessions(tls)).toBe(caches)
    expect(() => createSecureContext(tlsOptions(tls))).not.toThrow()
  })
}

test('§4 ssl.useSessionTickets', () => {
  expect(tlsOptions(settings({ useSessionTickets: true })).secureOptions).toBe(0)
  expect(tlsOptions(settings({ useSessionTickets: false })).secureOptions).toBe(constants.SSL_OP_NO_TICKET)
})

/** RFC 3526's group of 2048 bits, as `openssl dhparam` would write it. */
const strong = `-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA///////////JD9qiIWjCNMTGYouA3BzRKQJOCIpnzHQCC76mOxObIlFKCHmONATd
75UZs806QxswKwpt8l8UN0/hNW1tUcJF5IW1dmJefsb0TELppjftawv/XLb0Brft7jhr+1qJn6Wu
nyQRfEsf5kkoZlHs5Fs9wgB8uKFjvwWY2kg2HFXTmmkWP6j9JM9fg2VdI9yjrZYcYvNWIIVSu57V
KQdwlpZtZww1Tkq8mATxdGwIyhghfDKQXkYuNs474553LBgOhgObJ4Oi7Aeij7XFXfBvTFLJ3ivL
9pVYFxg5lUl86pVq5RXSJhiY+gUQFXKOWoqsqmj//////////wIBAg==
-----END DH PARAMETERS-----
`

for (const [name, dhParameters, want] of [
  ['none', null, 'auto'],
  ['strong ones', strong, strong],
] as const) {
  test(`§16 dhparam: ${name}`, () => {
    const options = tlsOptions(settings({ dhParameters }))
    expect(options.dhparam).toBe(want)
    expect(() => createSecureContext(options)).not.toThrow()
  })
}

for (const [bufferSize, want] of [
  [1, 512],
  [512, 512],
  [4096, 4096],
  [16_384, 16_384],
  [1_048_576, 16_384],
] as const) {
  test(`§16 ssl.bufferSize ${bufferSize}`, () => expect(recordSize(settings({ bufferSize }))).toBe(want))
}
