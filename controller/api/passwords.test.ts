import { expect, test } from 'vitest'
import { Passwords, standardCosts } from './passwords.ts'

const cheap = { N: 16, r: 1, p: 1 }

test('a password is known again by its digest alone, and no other is', async () => {
  const passwords = new Passwords()
  const hash = await passwords.hash('a word')
  const { N, r, p } = standardCosts
  expect(hash).toMatch(new RegExp(`^scrypt\\$${N}\\$${r}\\$${p}\\$[A-Za-z0-9+/]{22}==\\$[A-Za-z0-9+/]{43}=$`))
  expect(await passwords.check('a word', hash)).toBe(true)
  expect(await passwords.check('another', hash)).toBe(false)
})

test('digests of one password differ', async () => {
  const passwords = new Passwords(cheap)
  expect(await passwords.hash('a')).not.toBe(await passwords.hash('a'))
})

test('costs may rise: what was kept with fewer is known still', async () => {
  expect(await new Passwords().check('a', await new Passwords(cheap).hash('a'))).toBe(true)
})

test('nobody has a password, and what is no digest is nobody’s', async () => {
  const passwords = new Passwords(cheap)
  for (const hash of [null, '', 'a', 'scrypt$16$1$1', 'bcrypt$16$1$1$AAAA$AAAA'])
    expect([hash, await passwords.check('', hash)]).toEqual([hash, false])
})
