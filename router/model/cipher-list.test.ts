import { getCiphers } from 'node:tls'
import { expect, test } from 'vitest'
import { readCipherList } from './cipher-list.ts'

const known = getCiphers()
const a = 'ECDHE-RSA-AES128-GCM-SHA256'
const b = 'ECDHE-RSA-AES256-GCM-SHA384'

/** What is written, the list that comes of it, and the names that are unknown. */
const rows: [name: string, text: string, list: string | null, unknown: string[]][] = [
  ['suites as they are', `${a}:${b}`, `${a}:${b}`, []],
  ['groups of equal preference', `[${a}|${b}]:HIGH`, `${a}:${b}:HIGH`, []],
  ['commas and blanks', `${a}, ${b} HIGH`, `${a}:${b}:HIGH`, []],
  ['in lower case', a.toLowerCase(), a.toLowerCase(), []],
  ['suites that are no more', `${a}:DES-CBC3-SHA:RC4-FOO`, a, ['DES-CBC3-SHA', 'RC4-FOO']],
  ['words, sums and exclusions', 'ECDHE+AESGCM:!aNULL:-MD5:+SHA1', 'ECDHE+AESGCM:!aNULL:-MD5:+SHA1', []],
  ['a sum with an unknown part', 'ECDHE+FOO:HIGH', 'HIGH', ['ECDHE+FOO']],
  ['commands', 'HIGH:@STRENGTH:@SECLEVEL=1', 'HIGH:@STRENGTH:@SECLEVEL=1', []],
  ['a level nobody has', 'HIGH:@SECLEVEL=9', 'HIGH', ['@SECLEVEL=9']],
  ['suites of TLS 1.3 beside others', `TLS_AES_128_GCM_SHA256:${a}`, `TLS_AES_128_GCM_SHA256:${a}`, []],
  [
    'suites of TLS 1.3 alone leave older versions as they are',
    'TLS_AES_128_GCM_SHA256',
    'DEFAULT:TLS_AES_128_GCM_SHA256',
    [],
  ],
  ['a name of TLS 1.3 in lower case', `tls_aes_128_gcm_sha256:${a}`, a, ['tls_aes_128_gcm_sha256']],
  [
    'names as IANA has them',
    `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:${a}`,
    a,
    ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'],
  ],
  ['exclusions alone', '!MD5:!RC4', 'DEFAULT:!MD5:!RC4', []],
  ['nothing usable', 'FOO:BAR', null, ['FOO', 'BAR']],
  ['nothing', '', null, []],
  ['separators alone', ':,| ', null, []],
]
for (const [name, text, list, unknown] of rows) {
  test(`§16 ssl.ciphers: ${name}`, () => expect(readCipherList(text, known)).toEqual({ list, unknown }))
}
