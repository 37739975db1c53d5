import { expect, test } from 'vitest'
import type { Certificate, CertificateId } from './certificate.ts'
import type { Patch } from './patch.ts'
import { readSharedPatch, sharePatch } from './shared-certificates.ts'

const certificate = (name: string, comment = ''): Certificate => ({
  id: `shop/${name}` as CertificateId,
  chain: `chain of ${name}`,
  key: `${comment}key of ${name}`,
  fingerprint: `AA:${name}`,
  notAfter: 1_800_000_000_000,
})

const patchOf = (upserts: readonly Certificate[], deletes: readonly string[] = []): Patch => ({
  version: 7,
  reset: false,
  routes: { upserts: [], deletes: [] },
  upstreams: { upserts: [], deletes: [] },
  certificates: { upserts, deletes: deletes as CertificateId[] },
  authorities: { upserts: [], deletes: [] },
  apps: [],
})

const plain = ({ id, chain, key, fingerprint, notAfter }: Certificate): Certificate => ({
  ...{ id, chain, key, fingerprint, notAfter },
})

const cases: readonly (readonly [name: string, patch: Patch])[] = [
  ['none', patchOf([])],
  ['one', patchOf([certificate('a')])],
  ['several', patchOf([certificate('a'), certificate('bc'), certificate('d')])],
  ['deletes', patchOf([certificate('a')], ['shop/b'])],
  ['more than ASCII', patchOf([certificate('a', 'für Müller ✓\n'), certificate('b')])],
]

for (const [name, patch] of cases)
  test(`as it was, over a structured clone: ${name}`, () => {
    const { certificates, ...rest } = readSharedPatch(structuredClone(sharePatch(patch)))
    expect({ ...rest, certificates: { ...certificates, upserts: certificates.upserts.map(plain) } }).toEqual(patch)
  })

test('nothing is copied', () => {
  const shared = sharePatch(patchOf([certificate('a')]))
  const { upserts } = readSharedPatch(structuredClone(shared)).certificates
  new Uint8Array(shared.certificates.octets)[0] = 'C'.charCodeAt(0)
  expect(upserts[0]!.chain).toBe('Chain of a')
})
