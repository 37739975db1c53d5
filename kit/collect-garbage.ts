// Large work done once, as the first world of thousands of routes, leaves memory behind that V8 would keep for the garbage
// to come, and objects of native libraries with it. Who is done with such work says so here.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

type Collect = (
  options: { readonly type: 'major'; readonly flavor: 'last-resort' } | { readonly type: 'minor' },
) => void

let known: Collect | null = null

function collector(): Collect {
  if (known !== null) return known
  setFlagsFromString('--expose-gc')
  known = runInNewContext('gc') as Collect
  setFlagsFromString('--no-expose-gc')
  return known
}

/** Collects all garbage of the calling thread, which stands still for it: 0.1 s for 50 MB that stay. */
export function collectGarbage(): void {
  collector()({ type: 'major', flavor: 'last-resort' })
}

/** Collects what has just become garbage: less than a millisecond, and no more than V8 does by itself now and then. */
export function collectYoungGarbage(): void {
  collector()({ type: 'minor' })
}
