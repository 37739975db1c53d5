// A plain reader of HTTP/1.1 messages for tests, apart from the router's own parser so that it can contradict it. It
// takes octets from a source of chunks and reads exactly one message, never an octet more.

export interface FieldLine {
  readonly name: string
  readonly value: string
}

export interface Head {
  /** The request line or status line, without CRLF. */
  readonly line: string
  readonly fields: readonly FieldLine[]
  /** All octets of the head, as latin1. */
  readonly raw: string
}

export interface Message extends Head {
  readonly body: Buffer
  /** The body with its framing, as it came. */
  readonly rawBody: Buffer
  readonly trailers: readonly FieldLine[]
}

/** Values of all fields with this name, without regard to case. */
export function fieldValues(head: Pick<Head, 'fields'>, name: string): readonly string[] {
  return head.fields.filter(field => field.name.toLowerCase() === name.toLowerCase()).map(field => field.value)
}

/** The value of the one field with this name; undefined: none. More than one is an error. */
export function fieldValue(head: Pick<Head, 'fields'>, name: string): string | undefined {
  const values = fieldValues(head, name)
  if (values.length > 1) throw new Error(`${name} comes ${values.length} times`)
  return values[0]
}

/** Octets that have come and wait to be read, and those that will. */
export class OctetQueue {
  #held: Buffer = Buffer.alloc(0)
  #ended: string | null = null
  #wake: (() => void)[] = []
  #chunks: Buffer[] = []
  #waiting = 0

  get length(): number {
    return this.#held.length + this.#waiting
  }

  /** How the source ended: `end`, or the code of an error; null while it goes on. */
  get ended(): string | null {
    return this.#ended
  }

  push(octets: Uint8Array): void {
    this.#chunks.push(Buffer.from(octets))
    this.#waiting += octets.length
    this.#stir()
  }

  finish(how: string): void {
    this.#ended ??= how
    this.#stir()
  }

  #stir(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }

  /** Resolves when something has come or the source has ended. */
  change(): Promise<void> {
    return new Promise(resolve => this.#wake.push(resolve))
  }

  #gather(): Buffer {
    if (this.#waiting !== 0) {
      this.#held = Buffer.concat([this.#held, ...this.#chunks])
      this.#chunks = []
      this.#waiting = 0
    }
    return this.#held
  }

  /** Exactly `count` octets; rejects when the source ends before. */
  async take(count: number): Promise<Buffer> {
    while (this.length < count) await this.#more(`${count} octets`)
    const held = this.#gather()
    this.#held = held.subarray(count)
    return held.subarray(0, count)
  }

  /** Octets up to and with `mark`. */
  async takeThrough(mark: string): Promise<Buffer> {
    for (;;) {
      const held = this.#gather()
      const at = held.indexOf(mark, 0, 'latin1')
      if (at >= 0) {
        this.#held = held.subarray(at + mark.length)
        return held.subarray(0, at + mark.length)
      }
      await this.#more(JSON.stringify(mark))
    }
  }

  /** Everything up to the end of the source. */
  async takeAll(): Promise<Buffer> {
    while (this.#ended === null) await this.change()
    return this.take(this.length)
  }

  async #more(wanted: string): Promise<void> {
    if (this.#ended !== null) {
      throw new Error(
        `${this.#ended} before ${wanted}; held: ${JSON.stringify(this.#gather().toString('latin1').slice(0, 500))}`,
      )
    }
    await this.change()
  }
}

export async function readHead(queue: OctetQueue): Promise<Head> {
  const raw = (await queue.takeThrough('\r\n\r\n')).toString('latin1')
  const [line = '', ...rest] = raw.slice(0, -4).split('\r\n')
  return { line, fields: rest.map(parseField), raw }
}

function parseField(line: string): FieldLine {
  const colon = line.indexOf(':')
  if (colon <= 0) throw new Error(`no field line: ${JSON.stringify(line)}`)
  return { name: line.slice(0, colon), value: line.slice(colon + 1).trim() }
}

/** The body that the fields announce; `untilClose`: what it is without any. */
export async function readBody(queue: OctetQueue, head: Head, untilClose: boolean): Promise<Message> {
  const length = fieldValue(head, 'content-length')
  const coding = fieldValue(head, 'transfer-encoding')
  if (coding !== undefined && length !== undefined) throw new Error('both Content-Length and Transfer-Encoding')
  if (coding === 'chunked') return { ...head, ...(await readChunked(queue)) }
  if (coding !== undefined) throw new Error(`Transfer-Encoding: ${coding}`)
  const body =
    length !== undefined ? await queue.take(Number(length)) : untilClose ? await queue.takeAll() : Buffer.alloc(0)
  return { ...head, body, rawBody: body, trailers: [] }
}

async function readChunked(queue: OctetQueue): Promise<Pick<Message, 'body' | 'rawBody' | 'trailers'>> {
  const parts: Buffer[] = []
  const raw: Buffer[] = []
  for (;;) {
    const line = await queue.takeThrough('\r\n')
    raw.push(line)
    const size = Number.parseInt(line.toString('latin1'), 16)
    if (!/^[0-9a-f]+[;\r]/i.test(line.toString('latin1'))) throw new Error(`no chunk size: ${line.toString('latin1')}`)
    if (size === 0) break
    const chunk = await queue.take(size + 2)
    if (chunk.toString('latin1', size) !== '\r\n') throw new Error('no CRLF behind a chunk')
    raw.push(chunk)
    parts.push(chunk.subarray(0, size))
  }
  const trailers: FieldLine[] = []
  for (;;) {
    const line = await queue.takeThrough('\r\n')
    raw.push(line)
    if (line.length === 2) break
    trailers.push(parseField(line.toString('latin1', 0, line.length - 2)))
  }
  return { body: Buffer.concat(parts), rawBody: Buffer.concat(raw), trailers }
}
