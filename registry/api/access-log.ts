// A line of JSON on stdout for each request. A reader that does not read costs lines and nothing else.

import type { LineWriter } from '#kit/line-writer.ts'

export interface AccessLine {
  readonly remote: string
  /** Of the token; null: nobody in particular. */
  readonly user: string | null
  readonly method: string
  /** As it came: nothing in it is secret. */
  readonly target: string
  /** 499: the client went away before there was an answer. */
  readonly status: number
  /** Octets of bodies. */
  readonly received: number
  readonly sent: number
  readonly milliseconds: number
  readonly agent: string
}

export function writeAccessLine(writer: LineWriter, line: AccessLine): void {
  writer.write(Buffer.from(`${JSON.stringify({ time: new Date().toISOString(), ...line })}\n`))
}
