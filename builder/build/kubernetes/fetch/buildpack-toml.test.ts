// Ids and versions as buildpacks write them; nothing that is a path of its own.

import { expect, test } from 'vitest'
import { orderOf, readIdentity } from './buildpack-toml.ts'

const cases: readonly (readonly [name: string, toml: string, want: string | null])[] = [
  ['plain', 'api = "0.8"\n[buildpack]\nid = "acme/node"\nversion = "1.2.3"\n', 'acme/node 1.2.3'],
  ['literals and comments', "[buildpack] # ours\n  id='node' # x\n  version = '0.1.0-rc.1'", 'node 0.1.0-rc.1'],
  ['CRLF', '[buildpack]\r\nid = "a"\r\nversion = "1.0.0"\r\n', 'a 1.0.0'],
  ['of another table', '[[stacks]]\nid = "x"\nversion = "1.0.0"\n', null],
  ['after a table', '[buildpack]\nid = "a"\nversion = "1.0.0"\n[[stacks]]\nid = "*"\n', 'a 1.0.0'],
  ['no version', '[buildpack]\nid = "a"\n', null],
  ['a path', '[buildpack]\nid = "../../cnb"\nversion = "1.0.0"\n', null],
  ['a path as a version', '[buildpack]\nid = "a"\nversion = "../1"\n', null],
  ['more than a text', '[buildpack]\nid = "a\\"\\n[[order]]"\nversion = "1.0.0"\n', null],
  ['nothing', '', null],
]
test.each(cases)('%s', (_name, toml, want) => {
  const identity = readIdentity(toml)
  expect(identity === null ? null : `${identity.id} ${identity.version}`).toBe(want)
})

test('an order of one', () => {
  expect(orderOf({ id: 'a/b', version: '1.0.0' })).toBe('[[order]]\n[[order.group]]\nid = "a/b"\nversion = "1.0.0"\n')
})
