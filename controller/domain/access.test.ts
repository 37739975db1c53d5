import { describe, expect, test } from 'vitest'
import { mayActFor, mayOwn, mayRevoke, mayUse } from './access.ts'

const app = { owner: 'olga' }
const actors = {
  admin: { username: 'root', isSuperuser: true },
  owner: { username: 'olga', isSuperuser: false },
  collaborator: { username: 'carl', isSuperuser: false },
  stranger: { username: 'sue', isSuperuser: false },
}

const rows: readonly (readonly [who: keyof typeof actors, method: string, granted: boolean, want: boolean])[] = [
  ['admin', 'GET', false, true],
  ['admin', 'DELETE', false, true],
  ['owner', 'POST', false, true],
  ['owner', 'DELETE', false, true],
  ['collaborator', 'GET', true, true],
  ['collaborator', 'HEAD', true, true],
  ['collaborator', 'POST', true, true],
  ['collaborator', 'DELETE', true, false],
  ['collaborator', 'delete', true, false],
  ['stranger', 'GET', false, false],
  ['stranger', 'POST', false, false],
  ['stranger', 'DELETE', false, false],
]

describe('section 2: use of an app', () => {
  for (const [who, method, granted, want] of rows)
    test(`${who} ${method}`, () => expect(mayUse(actors[who], app, granted, method)).toBe(want))
})

test('section 2: sharing and handing over is for owner and administrator', () => {
  const may = Object.values(actors).map(actor => mayOwn(actor, app))
  expect(may).toEqual([true, true, false, false])
})

test('section 2: a collaborator may remove himself, and nobody else', () => {
  expect(mayRevoke(actors.collaborator, app, 'carl')).toBe(true)
  expect(mayRevoke(actors.collaborator, app, 'sue')).toBe(false)
  expect(mayRevoke(actors.owner, app, 'carl')).toBe(true)
})

test('section 5, Users: accounts of others are for administrators', () => {
  expect(mayActFor(actors.owner, 'olga')).toBe(true)
  expect(mayActFor(actors.owner, 'carl')).toBe(false)
  expect(mayActFor(actors.admin, 'carl')).toBe(true)
})
