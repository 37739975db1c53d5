// One container's files, as the kubelet and a container runtime treat them.

import { appendFile, mkdtemp, rename, rm, symlink, truncate, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ContainerTail, type Place } from './container-tail.ts'
import type { SavedPosition } from './positions.ts'

let directory: string
let now = 0
let lost: [file: string, octets: number][] = []
let malformed = 0
let cut = 0
const open: ContainerTail[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'container-'))
  now = 0
  lost = []
  malformed = cut = 0
})

afterEach(async () => {
  for (const tail of open.splice(0)) await tail.release()
  await rm(directory, { recursive: true, force: true })
})

let second = 0
const record = (text: string, tag = 'F', stream = 'stdout'): string => {
  const time = new Date(Date.UTC(2026, 10, 29) + 1000 * second++).toISOString().replace('Z', '000000Z')
  return `${time} ${stream} ${tag} ${text}\n`
}
const file = (name: string): string => join(directory, name)
const write = (name: string, ...texts: string[]): Promise<void> =>
  appendFile(file(name), texts.map(text => record(text)).join(''))

function follow(saved: SavedPosition | null = null): ContainerTail {
  const observer = {
    lost: (path: string, octets: number) => lost.push([path.slice(directory.length + 1), octets]),
    malformed: () => malformed++,
    cut: () => cut++,
  }
  const tail = new ContainerTail(directory, saved, observer, () => now)
  open.push(tail)
  return tail
}

/** Reads until there is nothing more now, time passing as it has to. */
async function read(tail: ContainerTail, size = 4096): Promise<string[]> {
  const lines: string[] = []
  const buffer = Buffer.alloc(size)
  tail.touch()
  for (;;) {
    const end = await tail.turn(buffer, (_, text) => lines.push(text))
    if (end.kind === 'later') now += end.after
    else if (end.kind !== 'more') return end.kind === 'finished' ? [...lines, '(finished)'] : lines
  }
}

/** As the kubelet rotates. */
async function rotate(time: string): Promise<void> {
  await rename(file('0.log'), file(`0.log.${time}`))
}

/** And as it makes room. */
async function compress(name: string): Promise<void> {
  await writeFile(file(`${name}.gz`), 'compressed')
  await unlink(file(name))
}

const settle = (tail: ContainerTail): void => tail.settle(tail.place as Place)

test('lines as they come, and only whole ones', async () => {
  const tail = follow()
  expect(await read(tail)).toEqual([])
  await write('0.log', 'a', 'b')
  expect(await read(tail)).toEqual(['a', 'b'])
  const whole = record('c')
  await appendFile(file('0.log'), whole.slice(0, 20))
  expect(await read(tail)).toEqual([])
  await appendFile(file('0.log'), whole.slice(20))
  expect(await read(tail)).toEqual(['c'])
  expect(await read(tail)).toEqual([])
})

test('a small buffer reads all there is, in order', async () => {
  const texts = Array.from({ length: 200 }, (_, index) => `line ${index}`)
  await write('0.log', ...texts)
  expect(await read(follow(), 100)).toEqual(texts)
})

test('a rotated file is read to its end, also what is written after it was renamed', async () => {
  const tail = follow()
  await write('0.log', 'a')
  expect(await read(tail)).toEqual(['a'])
  await rotate('20261129-043445')
  await write('0.log.20261129-043445', 'b')
  expect(await read(tail)).toEqual(['b'])
  await write('0.log.20261129-043445', 'c')
  await write('0.log', 'd')
  expect(await read(tail)).toEqual(['c', 'd'])
  expect(lost).toEqual([])
})

test('what is written to it while the next one is there already is not lost', async () => {
  const tail = follow()
  await write('0.log', 'a')
  await read(tail)
  await rotate('20261129-043445')
  await write('0.log', 'c')
  tail.touch()
  const hear = (): void => {}
  expect((await tail.turn(Buffer.alloc(4096), hear)).kind).toBe('later')
  await write('0.log.20261129-043445', 'b')
  expect(await read(tail)).toEqual(['b', 'c'])
})

test('a file that is compressed while it is read is read to its end', async () => {
  const tail = follow()
  await write('0.log', 'a', 'b')
  await tail.turn(Buffer.alloc(60), () => {})
  await rotate('20261129-043445')
  await write('0.log', 'c')
  await compress('0.log.20261129-043445')
  expect(await read(tail)).toEqual(['b', 'c'])
  expect(lost).toEqual([])
})

test('two rotations while nothing is read: what has gone is counted', async () => {
  const tail = follow()
  await write('0.log', 'a')
  await read(tail)
  await write('0.log', 'b')
  await rotate('20261129-043445')
  await write('0.log', 'c')
  tail.touch()
  await tail.turn(Buffer.alloc(4096), () => {})
  await rotate('20261129-051200')
  await compress('0.log.20261129-043445')
  await compress('0.log.20261129-051200')
  await write('0.log', 'd')
  expect(await read(tail)).toEqual(['d'])
  expect(lost).toEqual([['0.log', record('c').length]])
})

test('a container that is started again', async () => {
  const tail = follow()
  await appendFile(file('0.log'), record('a') + record('half a', 'P'))
  await write('1.log', 'b')
  expect(await read(tail)).toEqual(['a', 'half a', 'b'])
})

test('a line in pieces goes on in the next file', async () => {
  const tail = follow()
  await appendFile(file('0.log'), record('one ', 'P'))
  expect(await read(tail)).toEqual([])
  await rotate('20261129-043445')
  await appendFile(file('0.log'), record('line', 'F'))
  expect(await read(tail)).toEqual(['one line'])
})

test('it goes on where it was settled', async () => {
  const first = follow()
  await write('0.log', 'a', 'b')
  await read(first)
  settle(first)
  await write('0.log', 'c')
  expect(await read(follow(first.saved))).toEqual(['c'])
})

test('not behind a piece whose line is not complete', async () => {
  const first = follow()
  await appendFile(file('0.log'), record('a') + record('b', 'P') + record('other', 'F', 'stderr'))
  expect(await read(first)).toEqual(['a', 'other'])
  settle(first)
  expect(first.isSettled).toBe(true)
  await appendFile(file('0.log'), record('c', 'F'))
  expect(await read(follow(first.saved))).toEqual(['other', 'bc'])
})

test('in a file that was rotated meanwhile, and in those after it', async () => {
  const first = follow()
  await write('0.log', 'a')
  await read(first)
  settle(first)
  await write('0.log', 'b')
  await rotate('20261129-043445')
  await write('0.log', 'c')
  await write('1.log', 'd')
  expect(await read(follow(first.saved))).toEqual(['b', 'c', 'd'])
  expect(lost).toEqual([])
})

test('a file that has gone meanwhile is counted, and older ones are not read again', async () => {
  await write('0.log', 'old')
  await write('1.log', 'a')
  const first = follow()
  await read(first)
  settle(first)
  await unlink(file('1.log'))
  await write('2.log', 'b')
  expect(await read(follow(first.saved))).toEqual(['b'])
  expect(lost).toEqual([['1.log', 0]])
})

test('an inode that is used again is another file', async () => {
  const first = follow()
  await write('0.log', 'a')
  await read(first)
  settle(first)
  // The same inode with other contents is what a file system makes of it.
  await truncate(file('0.log'))
  await write('0.log', 'b', 'c')
  expect(await read(follow(first.saved))).toEqual(['b', 'c'])
})

test('a file that was emptied is read from its beginning', async () => {
  const tail = follow()
  await write('0.log', 'a', 'b')
  await read(tail)
  await truncate(file('0.log'))
  await write('0.log', 'c')
  expect(await read(tail)).toEqual(['c'])
})

test('back to what is settled, over files that have lost their names', async () => {
  const tail = follow()
  await write('0.log', 'a', 'b')
  await read(tail)
  settle(tail)
  await write('0.log', 'c')
  await rotate('20261129-043445')
  await write('0.log', 'd')
  expect(await read(tail)).toEqual(['c', 'd'])
  await rotate('20261129-051200')
  await write('0.log', 'e')
  await compress('0.log.20261129-043445')
  tail.rewind()
  expect(await read(tail)).toEqual(['c', 'd', 'e'])
  settle(tail)
  expect(tail.openFiles).toBe(1)
  tail.rewind()
  expect(await read(tail)).toEqual([])
})

test('closed and opened again, also when it was rotated in between', async () => {
  const tail = follow()
  await write('0.log', 'a')
  await read(tail)
  settle(tail)
  await tail.release()
  expect(tail.openFiles).toBe(0)
  await write('0.log', 'b')
  await rotate('20261129-043445')
  await write('0.log', 'c')
  expect(await read(tail)).toEqual(['b', 'c'])
})

test('a directory that goes: what was in it is read, and that is the end', async () => {
  const tail = follow()
  await appendFile(file('0.log'), record('a') + record('half', 'P'))
  const lines: string[] = []
  await tail.turn(Buffer.alloc(50), (_, text) => lines.push(text))
  expect(lines).toEqual(['a'])
  await rm(directory, { recursive: true })
  expect(await read(tail)).toEqual(['half', '(finished)'])
})

test('a record that is longer than can be read at a time loses its end, and only that', async () => {
  await write('0.log', 'a', 'x'.repeat(1000), 'b')
  const lines = await read(follow(), 200)
  expect(lines).toEqual(['a', 'x'.repeat(200 - record('').length + 1), 'b'])
  expect(cut).toBe(1)
})

test('what is no record is counted', async () => {
  await appendFile(file('0.log'), `${record('a')}nonsense\n{"log":"x"}\n${record('b')}`)
  expect(await read(follow())).toEqual(['a', 'b'])
  expect(malformed).toBe(2)
})

test('a link is not followed, wherever it leads', async () => {
  await writeFile(file('secret'), record('secret'))
  await symlink(file('secret'), file('0.log'))
  expect(await read(follow())).toEqual([])
  const tail = follow()
  await write('1.log', 'a')
  tail.touch()
  await read(tail)
  // Put in its place after it was looked at.
  await unlink(file('1.log'))
  await symlink(file('secret'), file('1.log'))
  await tail.release()
  expect(await read(tail)).toEqual([])
})
