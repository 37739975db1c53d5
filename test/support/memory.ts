// How much memory is really held: what the collector would free does not count.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Octets in buffers that something still refers to. */
export function heldInBuffers(): number {
  // What dies in the first round gives back its memory in the second.
  collect()
  collect()
  return process.memoryUsage().arrayBuffers
}
