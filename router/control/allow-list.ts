// Lists of addresses that are let in (contract section 10). One that cannot be read lets nobody in: what somebody
// closed shall not open by a slip of the pen.

import { cidrList, wordOr } from './annotation.ts'
import { type Annotations, annotation } from './annotation-table.ts'

/** The controller leaves an emptied list behind as "": nothing is set. */
export const whitelist = wordOr('', null, cidrList)

/** Whether the annotation is there and is no list of addresses. */
export function isSpoiltList(annotations: Annotations, key: string): boolean {
  const raw = annotation(annotations, key)
  return raw !== null && whitelist(raw).kind === 'bad'
}
