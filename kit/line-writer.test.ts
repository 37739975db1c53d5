import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { LineWriter } from './line-writer.ts'

const maxWaiting = 8 * 1024 * 1024
const onError = (): void => {}

/** A reader that takes nothing until it is told to. */
class Reader extends Writable {
  readonly taken: string[] = []
  #next: (() => void) | null = null
  #open = false

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.taken.push(chunk.toString())
    if (this.#open) done()
    else this.#next = done
  }

  open(): void {
    this.#open = true
    this.#next?.()
  }
}

test('lines arrive in order', () => {
  const reader = new Reader()
  reader.open()
  const writer = new LineWriter(reader, { maxWaiting, onError })
  writer.write(Buffer.from('one\n'))
  writer.write(Buffer.from('two\n'))
  expect(reader.taken).toEqual(['one\n', 'two\n'])
})

test('a reader that does not read costs lines, and they are counted', () => {
  const writer = new LineWriter(new Reader(), { maxWaiting, onError })
  const megabyte = Buffer.from(`${'x'.repeat(1024 * 1024 - 1)}\n`)
  for (let i = 0; i < 10; i++) writer.write(megabyte)
  writer.write(Buffer.concat([megabyte, Buffer.from('a\nb\n')]))
  expect(writer.dropped).toBe(2 + 3)
})

test('a reader that is gone is told of once', async () => {
  const errors: string[] = []
  const reader = new Reader()
  const writer = new LineWriter(reader, { maxWaiting, onError: error => errors.push(error.message) })
  reader.destroy(new Error('EPIPE'))
  await new Promise(resolve => reader.once('close', resolve))
  writer.write(Buffer.from('one\n'))
  expect([errors, writer.dropped]).toEqual([['EPIPE'], 1])
})

test('the end waits for the reader', async () => {
  const reader = new Reader()
  const writer = new LineWriter(reader, { maxWaiting, onError })
  writer.write(Buffer.from('one\n'))
  writer.write(Buffer.from('two\n'))
  const end = writer[Symbol.asyncDispose]()
  reader.open()
  await end
  expect(reader.taken.slice(0, 2)).toEqual(['one\n', 'two\n'])
  expect(reader.listenerCount('error')).toBe(0)
})

test('a flush gives up on a reader that does not read', async () => {
  const writer = new LineWriter(new Reader(), { maxWaiting, onError })
  writer.write(Buffer.from('one\n'))
  await writer.flush(1)
  expect(writer.dropped).toBe(0)
})

/** Fails while it is told to, and stays open all the same, as `process.stderr` does. */
class Disk extends Writable {
  readonly taken: string[] = []
  full = false
  tries = 0

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.tries++
    if (!this.full) this.taken.push(chunk.toString())
    done(this.full ? new Error('ENOSPC') : undefined)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    done(error)
    // What node does for the standard streams, and types do not tell of.
    ;(this as unknown as { _undestroy(): void })._undestroy()
  }
}

test('a disk that was full is written to again, and not tried with every line until then', async () => {
  let now = 0
  const errors: string[] = []
  const disk = new Disk()
  const writer = new LineWriter(disk, { maxWaiting, onError: error => errors.push(error.message), now: () => now })
  const write = async (text: string): Promise<void> => {
    writer.write(Buffer.from(text))
    await new Promise(setImmediate)
  }
  await write('one\n')
  disk.full = true
  await write('two\nthree\n')
  for (let i = 0; i < 10; i++) await write('x\n')
  expect([disk.tries, writer.dropped, errors]).toEqual([2, 12, ['ENOSPC']])
  now += 1000
  await write('four\n')
  await write('five\n')
  expect([disk.tries, writer.dropped, errors]).toEqual([3, 14, ['ENOSPC']])
  disk.full = false
  await write('six\n')
  now += 1000
  await write('seven\n')
  await write('eight\n')
  expect([disk.taken, writer.dropped]).toEqual([['one\n', 'seven\n', 'eight\n'], 15])
  disk.full = true
  await write('nine\n')
  expect(errors).toEqual(['ENOSPC', 'ENOSPC'])
})
