// Reads the tar files that `git archive` writes (POSIX pax): plain files, directories, symbolic links. Anything else is an
// error. The content of each file is to be read before the next entry is asked for; what is not read is passed over.

const block = 512
/** Octets of names and links in a pax header. */
const mostPax = 64 * 1024

export interface TarEntry {
  readonly kind: 'file' | 'directory' | 'link'
  readonly name: string
  readonly executable: boolean
  readonly size: number
  /** Where a link leads. */
  readonly target: string
  readonly content: () => AsyncGenerator<Buffer>
}

export class TarError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'TarError'
  }
}

export async function* tarEntries(source: AsyncIterable<Buffer>): AsyncGenerator<TarEntry> {
  const octets = new Octets(source)
  let pax = new Map<string, string>()
  try {
    for (;;) {
      const header = await octets.take(block)
      if (header.every(octet => octet === 0)) break
      checkSum(header)
      const type = String.fromCharCode(header[156]!)
      const size = sizeOf(header, pax)
      const padding = (block - (size % block)) % block
      if (type === 'x' || type === 'g') {
        if (size > mostPax) throw new TarError('a name is too long')
        const records = paxRecords(await octets.take(size))
        await octets.skip(padding)
        // The one for all holds the commit's name.
        if (type === 'x') pax = records
        continue
      }
      const kind = type === '0' || type === '\0' ? 'file' : type === '5' ? 'directory' : type === '2' ? 'link' : null
      if (kind === null) throw new TarError(`an entry of type ${JSON.stringify(type)}`)
      const prefix = field(header, 345, 155)
      const name = pax.get('path') ?? (prefix === '' ? '' : `${prefix}/`) + field(header, 0, 100)
      let left = kind === 'file' ? size : 0
      yield {
        kind,
        name,
        executable: (octal(header, 100, 8) & 0o100) !== 0,
        size: left,
        target: pax.get('linkpath') ?? field(header, 157, 100),
        content: async function* () {
          while (left > 0) {
            const part = await octets.some(left)
            left -= part.length
            yield part
          }
        },
      }
      pax = new Map()
      await octets.skip(left + (kind === 'file' ? padding : 0))
    }
    // Zeros to the end: who writes them would wait for a reader.
    await octets.drain()
  } finally {
    await octets.close()
  }
}

function field(header: Buffer, offset: number, length: number): string {
  const end = header.indexOf(0, offset)
  return header.toString('utf8', offset, end < 0 || end > offset + length ? offset + length : end)
}

function octal(header: Buffer, offset: number, length: number): number {
  const text = field(header, offset, length).trim()
  if (!/^[0-7]*$/.test(text)) throw new TarError('a number that is none')
  return Number.parseInt(text || '0', 8)
}

function sizeOf(header: Buffer, pax: ReadonlyMap<string, string>): number {
  const given = pax.get('size')
  const size = given === undefined ? octal(header, 124, 12) : /^[0-9]{1,15}$/.test(given) ? Number(given) : Number.NaN
  if (!Number.isSafeInteger(size)) throw new TarError('a size that is none')
  return size
}

function checkSum(header: Buffer): void {
  let sum = 8 * 32
  for (let at = 0; at < block; at++) if (at < 148 || at >= 156) sum += header[at]!
  if (sum !== octal(header, 148, 8)) throw new TarError('a header with a wrong sum')
}

function paxRecords(octets: Buffer): Map<string, string> {
  const records = new Map<string, string>()
  for (let at = 0; at < octets.length; ) {
    const blank = octets.indexOf(0x20, at)
    const length = Number(octets.toString('latin1', at, blank))
    if (blank < 0 || !Number.isInteger(length) || length <= blank - at || at + length > octets.length)
      throw new TarError('a pax record that is none')
    const record = octets.toString('utf8', blank + 1, at + length - 1)
    const equals = record.indexOf('=')
    records.set(record.slice(0, equals), record.slice(equals + 1))
    at += length
  }
  return records
}

class Octets {
  readonly #source: AsyncIterator<Buffer>
  #buffer: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** One to `most` of them. */
  async some(most: number): Promise<Buffer> {
    if (this.#buffer.length === 0 && !(await this.#more())) throw new TarError('it ends too early')
    const part = this.#buffer.subarray(0, most)
    this.#buffer = this.#buffer.subarray(part.length)
    return part
  }

  async take(count: number): Promise<Buffer> {
    const parts: Buffer[] = []
    for (let left = count; left > 0; ) {
      const part = await this.some(left)
      parts.push(part)
      left -= part.length
    }
    return Buffer.concat(parts)
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) left -= (await this.some(left)).length
  }

  async drain(): Promise<void> {
    while (await this.#more()) this.#buffer = Buffer.alloc(0)
  }

  async close(): Promise<void> {
    await this.#source.return?.()
  }

  async #more(): Promise<boolean> {
    const next = await this.#source.next()
    if (next.done) return false
    this.#buffer = next.value
    return true
  }
}
