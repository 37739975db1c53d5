// Reads tar archives: ustar, with pax headers or GNU's long names, as builders of images (OCI Image 1.1, "Layer") and
// `git archive` write them. An archive comes from somebody else: whatever it says of itself is bounded or refused.

export interface TarEntry {
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink' | 'other'
  /** One character, as the archive has it. */
  readonly type: string
  /** As it is written; it may lead anywhere. */
  readonly path: string
  readonly target: string
  readonly isExecutable: boolean
  readonly size: number
  /** To be read before the next entry is asked for; what is not read is skipped. */
  readonly body: AsyncIterable<Buffer>
}

export class TarError extends Error {
  override readonly name = 'TarError'
}

const block = 512
/** Bytes of a header in front of an entry. */
const longestHeader = 1024 * 1024

/** Throws TarError. What is left of the source when nobody asks on is given up. */
export async function* readTar(source: AsyncIterable<Buffer>): AsyncIterable<TarEntry> {
  const input = new Input(source)
  try {
    yield* entriesOf(input)
  } finally {
    await input.close()
  }
}

async function* entriesOf(input: Input): AsyncIterable<TarEntry> {
  let pax = new Map<string, string>()
  let longPath: string | null = null
  let longTarget: string | null = null
  for (;;) {
    const header = await input.take(block)
    if (header === null || header.every(byte => byte === 0)) {
      // Whatever follows the end is read, so that its digest can be told.
      while ((await input.some(block * 128)) !== null);
      return
    }
    checkSum(header)
    const type = String.fromCharCode(header[156]!)
    const size = pax.has('size') ? decimal(pax.get('size')!) : number(header, 124, 12)
    if (type === 'x' || type === 'g' || type === 'L' || type === 'K') {
      if (size > longestHeader) throw new TarError('a header of it is too large')
      const text = await input.exactly(size)
      await input.exactly(padding(size))
      if (type === 'x') pax = records(text)
      else if (type === 'L') longPath = untilNul(text)
      else if (type === 'K') longTarget = untilNul(text)
      continue
    }
    if ([...pax.keys()].some(name => name.startsWith('GNU.sparse.')) || type === 'S')
      throw new TarError('it has a file with holes')
    const isUstar = header.toString('latin1', 257, 262) === 'ustar'
    const prefix = isUstar && header[263] === 0x30 ? untilNul(header.subarray(345, 500)) : ''
    const name = untilNul(header.subarray(0, 100))
    const path = pax.get('path') ?? longPath ?? (prefix === '' ? name : `${prefix}/${name}`)
    const target = pax.get('linkpath') ?? longTarget ?? untilNul(header.subarray(157, 257))
    const hasBody = type === '0' || type === '\0' || type === '7'
    let left = hasBody ? size : 0
    const body = async function* (): AsyncIterable<Buffer> {
      while (left > 0) {
        const chunk = await input.some(left)
        if (chunk === null) throw new TarError('it ends too early')
        left -= chunk.length
        yield chunk
      }
    }
    yield {
      kind: path.endsWith('/') && hasBody && size === 0 ? 'directory' : kindOf(type),
      ...{ type, path, target, size: left, body: body() },
      isExecutable: (number(header, 100, 8) & 0o100) !== 0,
    }
    for await (const _ of body());
    if (hasBody) await input.exactly(padding(size))
    pax = new Map()
    longPath = null
    longTarget = null
  }
}

function kindOf(type: string): TarEntry['kind'] {
  switch (type) {
    case '0':
    case '\0':
    case '7':
      return 'file'
    case '1':
      return 'hardlink'
    case '2':
      return 'symlink'
    case '5':
      return 'directory'
    default:
      return 'other'
  }
}

function padding(size: number): number {
  return (block - (size % block)) % block
}

function untilNul(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end)
}

/** Octal digits, or (GNU) a binary number when the first bit is set. */
function number(header: Buffer, at: number, length: number): number {
  if ((header[at]! & 0x80) !== 0) {
    let value = header[at]! & 0x7f
    for (const byte of header.subarray(at + 1, at + length)) value = value * 256 + byte
    if (!Number.isSafeInteger(value)) throw new TarError('a number in it is too large')
    return value
  }
  const text = header
    .toString('latin1', at, at + length)
    .replace(/[\0 ]+$/, '')
    .trim()
  if (!/^[0-7]*$/.test(text)) throw new TarError('a number in it is none')
  return text === '' ? 0 : Number.parseInt(text, 8)
}

function decimal(text: string): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(value)) throw new TarError('a size in it is none')
  return value
}

function checkSum(header: Buffer): void {
  let sum = 0
  for (const [index, byte] of header.entries()) sum += index >= 148 && index < 156 ? 0x20 : byte
  if (sum !== number(header, 148, 8)) throw new TarError('it is no tar archive')
}

/** `LENGTH NAME=VALUE\n`, one after another. */
function records(text: Buffer): Map<string, string> {
  const found = new Map<string, string>()
  for (let at = 0; at < text.length; ) {
    const space = text.indexOf(0x20, at)
    const length = space < 0 || space - at > 7 ? 0 : decimal(text.toString('latin1', at, space))
    const end = at + length
    const equals = text.indexOf(0x3d, at)
    if (length < 5 || end > text.length || text[end - 1] !== 0x0a || equals < space || equals >= end)
      throw new TarError('a header of it is malformed')
    found.set(text.toString('utf8', space + 1, equals), text.toString('utf8', equals + 1, end - 1))
    at = end
  }
  return found
}

/** Octets on demand. */
class Input {
  readonly #source: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** From one octet to `most`; null: there are no more. */
  async some(most: number): Promise<Buffer | null> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#source.next()
      if (done === true) return null
      this.#rest = value
    }
    const piece = this.#rest.subarray(0, most)
    this.#rest = this.#rest.subarray(piece.length)
    return piece
  }

  /** So many; null: it ended just before. */
  async take(length: number): Promise<Buffer | null> {
    const first = await this.some(length)
    return first === null || first.length === length
      ? first
      : Buffer.concat([first, await this.exactly(length - first.length)])
  }

  async exactly(length: number): Promise<Buffer> {
    const pieces: Buffer[] = []
    for (let left = length; left > 0; ) {
      const piece = await this.some(left)
      if (piece === null) throw new TarError('it ends too early')
      pieces.push(piece)
      left -= piece.length
    }
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
  }

  async close(): Promise<void> {
    await this.#source.return?.()
  }
}
