// Who may do what with an app (controller contract, section 2). Nothing here looks anything up.

import type { App } from './app.ts'
import { Refusal } from './refusal.ts'
import type { User } from './user.ts'

export type Actor = Pick<User, 'username' | 'isSuperuser'>

/** Owners and administrators: all. Those with a grant: all but methods that take something away. */
export function mayUse(actor: Actor, app: Pick<App, 'owner'>, granted: boolean, method: string): boolean {
  return mayOwn(actor, app) || (granted && method.toUpperCase() !== 'DELETE')
}

/** To share it, to take shares back, to hand it over. */
export function mayOwn(actor: Actor, { owner }: Pick<App, 'owner'>): boolean {
  return actor.isSuperuser || actor.username === owner
}

/** To take the grant of `username`: a collaborator may go himself. */
export function mayRevoke(actor: Actor, app: Pick<App, 'owner'>, username: string): boolean {
  return mayOwn(actor, app) || actor.username === username
}

/** Acts on somebody else's account: tokens, password, cancelling. */
export function mayActFor(actor: Actor, username: string): boolean {
  return actor.isSuperuser || actor.username === username
}

export function forbidden(): Refusal {
  return new Refusal('forbidden', 'You do not have permission to perform this action.')
}
