// Builder contract, section 2.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseCommand, type SshCommand } from './command.ts'

const push = (app: string): SshCommand => ({ kind: 'git', verb: 'receive-pack', app })
const fetch = (app: string): SshCommand => ({ kind: 'git', verb: 'upload-pack', app })
const nameless: SshCommand = { kind: 'nameless' }

const cases: readonly (readonly [name: string, raw: string, want: SshCommand | null])[] = [
  ['ping', 'ping', { kind: 'ping' }],
  ['a push as git writes it', "git-receive-pack '/shop.git'", push('shop')],
  ['a push with a path of scp', "git-receive-pack 'shop.git'", push('shop')],
  ['a fetch', "git-upload-pack '/shop.git'", fetch('shop')],
  ['without quotes', 'git-upload-pack shop', fetch('shop')],
  ['double quotes', 'git-upload-pack "/shop.git"', fetch('shop')],
  ['backticks are quotes', 'git-upload-pack `shop.git`', fetch('shop')],
  ['dollars are dropped', "git-upload-pack '$shop.git'", fetch('shop')],
  ['no path', 'git-receive-pack', nameless],
  ['an empty path', "git-receive-pack ''", nameless],
  ['a path upwards', "git-receive-pack '../shop.git'", nameless],
  ['a path down', "git-receive-pack '/a/shop.git'", nameless],
  ['two slashes', "git-receive-pack '//shop.git'", nameless],
  ['only the ending', "git-receive-pack '/.git'", nameless],
  ['an option', "git-upload-pack --upload-pack=touch '/shop.git'", nameless],
  ['a name like an option', "git-upload-pack '--help'", nameless],
  ['a second command', "git-upload-pack '/shop.git'; touch x", nameless],
  ['a second line', "git-upload-pack '/shop.git'\ntouch x", nameless],
  ['NUL', "git-upload-pack '/shop\0.git'", nameless],
  ['upper case', "git-upload-pack '/Shop.git'", nameless],
  ['a name of 63', `git-upload-pack '${'a'.repeat(63)}'`, fetch('a'.repeat(63))],
  ['a name of 64', `git-upload-pack '${'a'.repeat(64)}'`, nameless],
  ['git with a blank', "git receive-pack '/shop.git'", null],
  ['git-shell', 'git-shell', null],
  ['git-upload-archive', "git-upload-archive '/shop.git'", null],
  ['a path to the program', "/usr/bin/git-receive-pack '/shop.git'", null],
  ['another word', 'pings', null],
  ['a shell', 'sh -c ping', null],
  ['nothing', '', null],
  ['too long', `ping${' '.repeat(512)}`, null],
]

for (const [name, raw, want] of cases) test(name, () => expect(parseCommand(raw)).toEqual(want))

test('100,000 commands: what comes out is in the list, and a name is one plain word', () => {
  const words = fc.constantFrom(
    ...['git-receive-pack', 'git-upload-pack', 'ping', 'sh', "'", '"', '`', '$', '..', '/', '.git', ' ', '\n', '\0'],
    ...['$(id)', ';', '|', '&&', '--upload-pack=', '-', 'shop', '%2e', '\\', '\u202e', 'é'],
  )
  const commands = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.array(words, { maxLength: 12 }).map(parts => parts.join('')),
    fc.array(words, { maxLength: 8 }).map(parts => `git-receive-pack ${parts.join('')}`),
  )
  fc.assert(
    fc.property(commands, raw => {
      const command = parseCommand(raw)
      if (command === null || command.kind !== 'git') return true
      return (
        /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(command.app) && ['receive-pack', 'upload-pack'].includes(command.verb)
      )
    }),
    { numRuns: 100_000 },
  )
})
