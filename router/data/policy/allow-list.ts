// Who may ask (contract section 10). Lists of the app and of the router have been put together by then.

import type { AddressSet } from '../../model/cidr.ts'
import { errorAnswer } from '../answer.ts'

/** For a client that the list lets not in, when the app is up. */
export const forbidden = errorAnswer(403, true, true)
/** The same while the app is under maintenance: nothing is promised yet. */
export const forbiddenEarly = errorAnswer(403, true)

/** `allowed` null: everybody is let in. */
export function letsIn(allowed: AddressSet | null, address: string): boolean {
  return allowed === null || allowed.has(address)
}
