// What a one-off command has written, as much of it as is kept: the same for all clusters.

import { StringDecoder } from 'node:string_decoder'
import type { RunResult } from './cluster.ts'

/** Octets of output that are kept. */
export const maxOutput = 1024 * 1024

/** `octets`: the output from its beginning; at least one octet more than is kept, where there is more. */
export function runOutput(octets: Buffer): Pick<RunResult, 'output' | 'isCut'> {
  const isCut = octets.length > maxOutput
  // Without the first part of a character that was cut.
  return { output: new StringDecoder('utf8').write(octets.subarray(0, maxOutput)), isCut }
}
