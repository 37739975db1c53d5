// What the welcome tells people to type is right for a shell, and for who has been here before.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { welcome } from './welcome.ts'

const ports = { http: 8080, https: 6443, builder: 2222, admin: 9090 }
const address = '127.0.0.1'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'welcome-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

// A checkout below a folder with a space once made an alias of two words.
test.each(['plain', 'a b', "it's", `"a" $HOME 'b' \\n`])('the alias in a checkout below %j', name => {
  const root = `${join(directory, name)}/`
  mkdirSync(`${root}cli/bin`, { recursive: true })
  writeFileSync(`${root}cli/bin/deis.mjs`, '#!/bin/sh\necho deis "$@"\n', { mode: 0o755 })
  const alias = /^ +(alias .*)$/m.exec(welcome({ ports, address, hasAdministrator: false }, root))![1]!
  // A shell knows an alias from the line after it on.
  expect(execFileSync('sh', { input: `${alias}\ndeis register\n`, encoding: 'utf8' })).toBe('deis register\n')
})

test('the first start: how to become the administrator', () => {
  const text = welcome({ ports: { ...ports, builder: 2300 }, address, hasAdministrator: false })
  expect(text).toContain('  export DEIS_BUILDER_PORT=2300; deis register http://deis.localhost:8080\n')
  expect(text).toContain('deis create hello && git push')
  expect(text).not.toContain('deis login')
})

// Who started it again was told to register, which was refused.
test('the next start: how to log in, and where the apps are', () => {
  const text = welcome({ ports, address, hasAdministrator: true })
  expect(text).toContain('  deis login http://deis.localhost:8080\n  deis apps\n')
  expect(text).toContain('http://APP.localhost:8080')
  for (const words of ['register', 'cp -r', 'deis create', 'administrator']) expect(text).not.toContain(words)
})

// It named URLs at which nothing listened.
test.each([
  ['127.0.0.1', '127.0.0.1', false],
  ['0.0.0.0', '127.0.0.1', false],
  ['::', '[::1]', false],
  ['::1', '[::1]', false],
  ['192.0.2.7', '192.0.2.7', true],
  ['2001:db8::7', '[2001:db8::7]', true],
])('at %s: the router is at %s', (address, host, isElsewhere) => {
  const text = welcome({ ports, address, hasAdministrator: true })
  expect(text).toContain(`router: http://${host}:9090)\n`)
  const hint = `Names under localhost lead to this machine's 127.0.0.1, where nothing listens: it is at ${address} alone.`
  expect(text.includes(hint)).toBe(isElsewhere)
})
