// A tree as a tar archive: POSIX ustar, with pax headers for what does not fit (pax, IEEE Std 1003.1; OCI Image 1.1,
// "Layer"). Our own, as it is short, and because the octets of a layer are its name: they must not change with a library.

import { open, readFile } from 'node:fs/promises'
import type { TreeEntry } from './tree.ts'

/** Of all files, in seconds: as other builders have it, and a time that archives of any kind can hold. */
const modified = 315_532_801
/** User and group of everything: `slug` of the images that run apps (builder contract, section 7). */
const owner = 2000

const block = 512
/** Files up to here are read as a whole, some of them ahead. */
const small = 256 * 1024
const ahead = 16
const chunkSize = 256 * 1024

/** Paths begin with `prefix`, which is a directory with a slash, or empty. Throws when a file changes meanwhile. */
export async function* writeTar(entries: readonly TreeEntry[], prefix: string): AsyncIterable<Buffer> {
  const parts = prefix.split('/').slice(0, -1)
  for (const [index] of parts.entries())
    yield header({ path: `${parts.slice(0, index + 1).join('/')}/`, type: '5', mode: 0o755 })
  const begun = new Map<number, Promise<Buffer>>()
  const begin = (index: number): void => {
    const entry = entries[index]
    if (entry?.kind !== 'file' || entry.size > small || begun.has(index)) return
    const reading = readFile(entry.file)
    reading.catch(() => {})
    begun.set(index, reading)
  }
  for (const [index, entry] of entries.entries()) {
    for (let next = index; next < index + ahead; next++) begin(next)
    const path = prefix + entry.path
    switch (entry.kind) {
      case 'directory':
        yield header({ path: `${path}/`, type: '5', mode: 0o755 })
        break
      case 'symlink':
        yield header({ path, type: '2', mode: 0o777, link: entry.target })
        break
      case 'hardlink':
        yield header({ path, type: '1', mode: 0o644, link: prefix + entry.target })
        break
      case 'file': {
        yield header({ path, type: '0', mode: entry.isExecutable ? 0o755 : 0o644, size: entry.size })
        const reading = begun.get(index)
        begun.delete(index)
        if (reading === undefined) yield* contents(entry.file, entry.size)
        else yield whole(await reading, entry)
        if (entry.size % block > 0) yield Buffer.alloc(block - (entry.size % block))
      }
    }
  }
  yield Buffer.alloc(2 * block)
}

function whole(bytes: Buffer, { file, size }: { readonly file: string; readonly size: number }): Buffer {
  if (bytes.length !== size) throw new Error(`${file} changed while it was read`)
  return bytes
}

async function* contents(file: string, size: number): AsyncIterable<Buffer> {
  await using handle = await open(file)
  for (let at = 0; at < size; ) {
    const chunk = Buffer.allocUnsafe(Math.min(chunkSize, size - at))
    // All of it, so that the pieces do not depend on how the system cuts them.
    let filled = 0
    while (filled < chunk.length) {
      const { bytesRead } = await handle.read(chunk, filled, chunk.length - filled, at + filled)
      if (bytesRead === 0) throw new Error(`${file} changed while it was read`)
      filled += bytesRead
    }
    at += chunk.length
    yield chunk
  }
}

interface HeaderFields {
  readonly path: string
  readonly type: '0' | '1' | '2' | '5'
  readonly mode: number
  readonly size?: number
  readonly link?: string
}

/** Octets that the number of twelve digits in a header can say. */
const maxSize = 8 ** 11 - 1

/** With a pax header before it when there has to be one. */
function header({ path, type, mode, size = 0, link = '' }: HeaderFields): Buffer {
  const records: [name: string, value: string][] = []
  if (!fits(path)) records.push(['path', path])
  if (!fits(link)) records.push(['linkpath', link])
  if (size > maxSize) records.push(['size', String(size)])
  const plain = ustar({ path, type, mode, size: size > maxSize ? 0 : size, link })
  if (records.length === 0) return plain
  const text = Buffer.concat(records.map(([name, value]) => paxRecord(name, value)))
  const padding = Buffer.alloc((block - (text.length % block)) % block)
  return Buffer.concat([
    ustar({ path: 'PaxHeader', type: 'x', mode: 0o644, size: text.length, link: '' }),
    text,
    padding,
    plain,
  ])
}

/** Readers disagree about octets beyond ASCII in the old fields. */
function fits(text: string): boolean {
  return text.length <= 100 && /^[\x20-\x7e]*$/.test(text)
}

/** `LENGTH NAME=VALUE`, where the length counts itself. */
function paxRecord(name: string, value: string): Buffer {
  const rest = Buffer.from(` ${name}=${value}\n`)
  let length = rest.length + 1
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return Buffer.concat([Buffer.from(String(length)), rest])
}

function ustar(fields: Omit<Required<HeaderFields>, 'type'> & { readonly type: string }): Buffer {
  const { path, type, mode, size, link } = fields
  const bytes = Buffer.alloc(block)
  const number = (value: number, at: number, digits: number): void =>
    void bytes.write(`${value.toString(8).padStart(digits, '0')}\0`, at, 'latin1')
  const text = (value: string, at: number): void =>
    void bytes.write(value.replace(/[^\x20-\x7e]/g, '_').slice(0, 100), at, 'latin1')
  text(path, 0)
  number(mode, 100, 7)
  number(owner, 108, 7)
  number(owner, 116, 7)
  number(size, 124, 11)
  number(modified, 136, 11)
  bytes.write('        ', 148, 'latin1')
  bytes.write(type, 156, 'latin1')
  text(link, 157)
  bytes.write('ustar\x0000', 257, 'latin1')
  let sum = 0
  for (const byte of bytes) sum += byte
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return bytes
}
