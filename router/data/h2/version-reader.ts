// Which version of HTTP a client speaks on a plain connection (RFC 9113 section 3.3): its first octets tell.

import type { Socket } from 'node:net'
import type { ThreadContext } from '../context.ts'
import { clientTimeout } from '../http/connection.ts'
import { OpeningReader } from '../opening-reader.ts'
import { preface } from './frames.ts'

/** No method of HTTP/1.1 is called `PRI`. */
const telling = 'PRI '.length

/** The first octets, `[0, end)` of `buffer`, are valid during the call only; false stops reading. */
export type AfterOpening = (isHttp2: boolean, buffer: Buffer, end: number) => boolean

export class VersionReader extends OpeningReader {
  readonly #after: AfterOpening
  #isHttp2 = false

  constructor(context: ThreadContext, socket: Socket, after: AfterOpening) {
    super(context, socket, clientTimeout)
    this.#after = after
  }

  protected override judge(source: Buffer, end: number): 'whole' | 'incomplete' {
    let at = 0
    while (at < end && at < telling && source[at] === preface[at]) at++
    this.#isHttp2 = at === telling
    return this.#isHttp2 || at < end ? 'whole' : 'incomplete'
  }

  protected override proceed(source: Buffer, end: number): boolean {
    return this.#after(this.#isHttp2, source, end)
  }

  protected override refused(): void {}
}
