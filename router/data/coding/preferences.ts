// What a request says that decides whether its answer is compressed, kept until the answer comes: the buffer that the
// request came in has been read into again by then.

import { FieldMemo } from '../http/field-memo.ts'
import { fieldId } from '../http/fields.ts'
import { joinedValue } from '../http/request-facts.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { RequestFieldName } from './eligible.ts'

/** The requests of one connection nearly always say the same. */
export class PreferenceMemo {
  readonly acceptEncoding = new FieldMemo()
  readonly userAgent = new FieldMemo()
}

export class Preferences {
  minorVersion = 1
  #acceptEncoding = ''
  #userAgent = ''
  #via = ''
  #authorization = ''

  /** For a client that asks for no coding. */
  clear(minorVersion: number): void {
    this.minorVersion = minorVersion
    this.#acceptEncoding = ''
  }

  remember(head: RequestHead, buffer: Buffer, memo: PreferenceMemo): void {
    const { fields } = head
    this.minorVersion = head.minorVersion
    const accept = head.acceptEncodingField
    this.#acceptEncoding =
      head.acceptEncodings === 1
        ? memo.acceptEncoding.read(buffer, fields.valueStart[accept]!, fields.valueEnd[accept]!)
        : joinedValue(fields, buffer, fieldId.acceptEncoding)
    const agent = fields.find(fieldId.userAgent)
    this.#userAgent = agent < 0 ? '' : memo.userAgent.read(buffer, fields.valueStart[agent]!, fields.valueEnd[agent]!)
    this.#via = fields.find(fieldId.via) < 0 ? '' : joinedValue(fields, buffer, fieldId.via)
    // Only whether there are credentials counts; they are not kept.
    this.#authorization = fields.has(fieldId.authorization) ? 'given' : ''
  }

  field(name: RequestFieldName): string {
    switch (name) {
      case 'acceptEncoding':
        return this.#acceptEncoding
      case 'userAgent':
        return this.#userAgent
      case 'via':
        return this.#via
      case 'authorization':
        return this.#authorization
    }
  }
}
