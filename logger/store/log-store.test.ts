import { constants } from 'node:fs'
import { appendFile, type FileHandle, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import pino from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { LogLine, LogSource } from '../line.ts'
import { type OpenFile, openPrivate } from './files.ts'
import { LogStore, type LogStoreOptions } from './log-store.ts'

const megabyte = 1024 * 1024
const all = { lines: 1000, octets: 10 * megabyte }
const both = ['app', 'controller'] as const

let directory: string
let dropped: number
let open: LogStore[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'log-store-'))
  dropped = 0
  open = []
})
afterEach(async () => {
  for (const store of open) await store.close()
  await rm(directory, { recursive: true })
})

/** It flushes only when told. */
function start(options: Partial<LogStoreOptions> = {}): LogStore {
  const store = LogStore.open({
    ...{ directory, appSize: megabyte, totalSize: 100 * megabyte, maxApps: 100, flushInterval: 1_000_000 },
    ...{ log: pino({ enabled: false }), onDropped: lines => (dropped += lines) },
    ...options,
  })
  open.push(store)
  return store
}

async function restart(store: LogStore, options: Partial<LogStoreOptions> = {}): Promise<LogStore> {
  open.splice(open.indexOf(store), 1)
  await store.close()
  return start(options)
}

let time = 1_700_000_000_000
function line(app: string, text: string, source: LogSource = 'app', at = time++): LogLine {
  return { app, source, process: 'web.v1.a', time: at, text }
}

const textsOf = (lines: readonly LogLine[]): string[] => lines.map(({ text }) => text)

async function write(store: LogStore, app: string, from: number, to: number, source: LogSource = 'app'): Promise<void> {
  for (let i = from; i < to; i++) {
    expect(store.append(line(app, `${i} `.padEnd(100, 'x'), source), Date.now())).toBe(null)
    if (i % 1000 === 999) await store.flush()
  }
  await store.flush()
}

async function numbers(store: LogStore, app: string, source: LogSource = 'app', lines = 100_000): Promise<number[]> {
  const found = await store.tail(app, [source], { lines, octets: 100 * megabyte })
  return found.map(({ text }) => Number(text.split(' ')[0]))
}

const filesOf = (app: string): Promise<string[]> => readdir(join(directory, 'apps', app))

/** Whether these are all numbers up to and without `end`, from where they begin. */
function isRunUpTo(end: number, found: readonly number[]): boolean {
  return found.length > 0 && found.every((number, i) => number === end - found.length + i)
}

test('lines are there at once, after a flush, and after a restart', async () => {
  const store = start()
  store.append(line('foo', 'one'), 0)
  store.append(line('foo', 'two'), 0)
  expect(textsOf(await store.tail('foo', both, all))).toEqual(['one', 'two'])
  const flushing = store.flush()
  store.append(line('foo', 'three — é'), 0)
  // While it is being written, too.
  expect(textsOf(await store.tail('foo', both, all))).toEqual(['one', 'two', 'three — é'])
  await flushing
  expect(textsOf(await store.tail('foo', both, all))).toEqual(['one', 'two', 'three — é'])
  const again = await restart(store)
  expect(textsOf(await again.tail('foo', both, all))).toEqual(['one', 'two', 'three — é'])
  expect(textsOf(await again.tail('foo', both, { ...all, lines: 2 }))).toEqual(['two', 'three — é'])
  expect(await again.tail('foo', both, { ...all, lines: 1 })).toMatchObject([{ process: 'web.v1.a', app: 'foo' }])
  expect(await again.tail('bar', both, all)).toEqual([])
})

test('sources are merged by time, and asked for one by one', async () => {
  const store = start()
  for (const [text, source, at] of [
    ['a', 'app', 10],
    ['b', 'app', 30],
    ['late', 'app', 20],
    ['c', 'controller', 15],
    ['d', 'controller', 30],
    ['r', 'router', 1],
  ] as const)
    store.append(line('foo', text, source, at), 0)
  // What came out of order stays where it came: behind it, not before.
  expect(textsOf(await store.tail('foo', both, all))).toEqual(['a', 'c', 'b', 'late', 'd'])
  expect(textsOf(await store.tail('foo', ['router'], all))).toEqual(['r'])
})

test('rotation keeps the newest within the bound, over restarts', async () => {
  const store = start()
  await write(store, 'foo', 0, 12_000)
  const found = await numbers(store, 'foo')
  expect(isRunUpTo(12_000, found)).toBe(true)
  // Half of the app's megabyte is for its own lines, and an eighth of that goes at once.
  expect(found.length * 126).toBeGreaterThan(megabyte * 0.4)
  expect(store.size).toBeLessThanOrEqual(megabyte / 2)
  const again = await restart(store)
  expect(await numbers(again, 'foo')).toEqual(found)
  expect(again.size).toBe(store.size)
  await write(again, 'foo', 12_000, 13_000)
  expect(isRunUpTo(13_000, await numbers(again, 'foo'))).toBe(true)
  expect(await numbers(again, 'foo', 'app', 5)).toEqual([12_995, 12_996, 12_997, 12_998, 12_999])
})

test('a flood of the router or the controller, or of another app, takes nothing from the app', async () => {
  const store = start()
  await write(store, 'foo', 0, 100)
  await write(store, 'foo', 0, 10_000, 'router')
  await write(store, 'foo', 0, 3_000, 'controller')
  await write(store, 'noisy', 0, 20_000)
  expect((await numbers(store, 'foo')).length).toBe(100)
  expect(isRunUpTo(10_000, await numbers(store, 'foo', 'router'))).toBe(true)
  expect(store.size).toBeLessThanOrEqual(2 * megabyte)
})

test('with all together over the bound the largest app gives way', async () => {
  const store = start({ totalSize: megabyte })
  for (const app of ['a', 'b', 'c']) await write(store, app, 0, 500)
  await write(store, 'noisy', 0, 4_000)
  await write(store, 'loud', 0, 4_000)
  for (const app of ['a', 'b', 'c']) expect((await numbers(store, app)).length).toBe(500)
  expect(store.size).toBeLessThanOrEqual(megabyte)
  for (const app of ['noisy', 'loud']) expect((await numbers(store, app)).length).toBeGreaterThan(2000)
  expect(isRunUpTo(4_000, await numbers(store, 'loud'))).toBe(true)
})

test('a torn end is cut off, and what is no line is left out', async () => {
  const store = start()
  for (const text of ['one', 'two']) store.append(line('foo', text), 0)
  await store.flush()
  open.pop()
  await store.close()
  const file = join(directory, 'apps', 'foo', 'app.000000001.log')
  const whole = await readFile(file)
  await appendFile(file, `${'\0'.repeat(4096)}\nno line\n1700000000000 - three\n17000000`)
  const again = start()
  const wanted = ['one', 'two', 'three']
  expect(textsOf(await again.tail('foo', both, all))).toEqual(wanted)
  again.append(line('foo', 'four'), 0)
  await again.flush()
  expect(textsOf(await again.tail('foo', both, all))).toEqual([...wanted, 'four'])
  expect((await readFile(file)).subarray(0, whole.length)).toEqual(whole)
  expect((await readFile(file, 'utf8')).endsWith('- three\n')).toBe(false)
  expect(again.size).toBe((await stat(file)).size)
})

test('a file of one long torn line', async () => {
  const store = start()
  store.append(line('foo', 'x'), 0)
  await store.flush()
  open.pop()
  await store.close()
  await writeFile(join(directory, 'apps', 'foo', 'app.000000001.log'), 'x'.repeat(200_000))
  const again = start()
  expect(await again.tail('foo', both, all)).toEqual([])
  again.append(line('foo', 'y'), 0)
  await again.flush()
  expect(textsOf(await again.tail('foo', both, all))).toEqual(['y'])
})

test('a disk that is full, in the middle of a line: lines are dropped and counted, and it goes on', async () => {
  let room = Number.POSITIVE_INFINITY
  const full: OpenFile = async (path, flags) => {
    const file = await openPrivate(path, flags)
    const write = file.write.bind(file) as (
      buffer: Buffer,
      at: number,
      length: number,
    ) => Promise<{ bytesWritten: number }>
    file.write = (async (buffer: Buffer, at: number, length: number) => {
      if (room <= 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
      const written = await write(buffer, at, Math.min(length, room))
      room -= written.bytesWritten
      return written
    }) as FileHandle['write']
    return file
  }
  const store = start({ open: full })
  store.append(line('foo', 'before'), 0)
  await store.flush()
  room = 45
  for (const text of ['fits', 'lost', 'lost, too']) store.append(line('foo', text), 0)
  store.append(line('bar', 'lost'), 0)
  await store.flush()
  expect(dropped).toBe(3)
  expect(textsOf(await store.tail('foo', both, all))).toEqual(['before', 'fits'])
  room = Number.POSITIVE_INFINITY
  for (const app of ['foo', 'bar']) store.append(line(app, 'after'), 0)
  await store.flush()
  const again = await restart(store)
  expect(textsOf(await again.tail('foo', both, all))).toEqual(['before', 'fits', 'after'])
  expect(textsOf(await again.tail('bar', both, all))).toEqual(['after'])
  expect(dropped).toBe(3)
})

test('while a file begins, and when it cannot, what stands in those before it is there', async () => {
  let opening: PromiseWithResolvers<void> | null = null
  const goesOn = Promise.withResolvers<void>()
  const store = start({
    async open(path, flags) {
      opening?.resolve()
      if (opening !== null) await goesOn.promise
      return openPrivate(path, flags)
    },
  })
  await write(store, 'foo', 0, 500)
  // Longer than what is left of the first file.
  store.append(line('foo', '500 '.padEnd(16_000, 'x')), 0)
  opening = Promise.withResolvers<void>()
  const flushing = store.flush()
  await opening.promise
  const found = await numbers(store, 'foo')
  goesOn.reject(Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' }))
  await flushing
  expect([found.length, isRunUpTo(501, found)]).toEqual([501, true])
  expect([dropped, (await numbers(store, 'foo')).length]).toEqual([1, 500])
  opening = null
  store.append(line('foo', '500 after'), 0)
  await store.flush()
  expect((await numbers(store, 'foo')).length).toBe(501)
})

test('what waits for the disk is bounded; senders that can wait are told', async () => {
  const store = start()
  const text = 'x'.repeat(10_000)
  let kept = 0
  while (store.append(line('foo', text), 0) === null) kept++
  expect(kept * 10_000).toBeLessThan(4 * megabyte)
  expect(store.append(line('bar', text), 0)).toBe(null)
  expect(store.busy).toBe(false)
  for (let i = 0; i < 4; i++) while (store.append(line(`more-${i}`, text), 0) === null);
  expect(store.busy).toBe(true)
  const room = new Promise<void>(resolve => store.whenRoom(resolve))
  await store.flush()
  await room
  expect([store.busy, store.waiting]).toEqual([false, 0])
})

test('removing an app, while lines come and are written', async () => {
  const store = start()
  await write(store, 'foo', 0, 1000)
  await write(store, 'bar', 0, 10)
  store.append(line('foo', 'on its way'), 0)
  const flushing = store.flush()
  store.append(line('foo', 'waits'), 0)
  const removing = store.remove('foo')
  expect(store.append(line('foo', 'too late'), 0)).toBe('removed')
  expect(await store.tail('foo', both, all)).toEqual([])
  await Promise.all([flushing, removing])
  expect(await readdir(join(directory, 'apps'))).toEqual(['bar'])
  expect([store.apps, store.waiting]).toEqual([1, 0])
  expect(store.append(line('foo', 'another of this name'), 0)).toBe(null)
  await store.flush()
  expect(textsOf(await store.tail('foo', both, all))).toEqual(['another of this name'])
  await store.remove('nobody')
  await store.remove('foo')
  await store.remove('bar')
  expect(store.size).toBe(0)
})

test('an app that is removed again and again: the next one of its name keeps its lines', async () => {
  const store = start()
  for (let round = 0; round < 20; round++) {
    store.append(line('foo', 'gone'), 0)
    await store.flush()
    const removals = [store.remove('foo')]
    while (store.append(line('foo', 'kept'), 0) === 'removed') {
      removals.push(store.remove('foo'))
      await nextTurn()
    }
    await store.flush()
    await Promise.all(removals)
    expect(textsOf(await store.tail('foo', both, all))).toEqual(['kept'])
    await store.remove('foo')
  }
})

test('an app that is removed while its lines are made durable: the next one of its name keeps its lines', async () => {
  const store = start({ syncInterval: 1 })
  for (let round = 0; round < 10; round++) {
    store.append(line('foo', 'gone'), 0)
    await store.flush()
    // So that it takes a while.
    for (let i = 0; i < 200; i++) await writeFile(join(directory, 'apps', 'foo', `${i}`), '')
    store.append(line('foo', 'gone'), 0)
    await store.flush()
    await store.remove('foo')
    store.append(line('foo', 'kept'), 0)
    await store.flush()
    expect(textsOf(await store.tail('foo', both, all))).toEqual(['kept'])
    await store.remove('foo')
  }
})

test('too many apps: new ones are refused, until one has been quiet for an hour', async () => {
  const store = start({ maxApps: 2 })
  const hour = 3_600_000
  expect(store.append(line('a', 'x'), 0)).toBe(null)
  expect(store.append(line('b', 'x'), hour / 2)).toBe(null)
  expect(store.append(line('c', 'x'), hour / 2)).toBe('apps')
  // Senders without an app are counted apart.
  expect(store.append(line('192.0.2.1', 'x'), 0)).toBe(null)
  expect(store.append(line('c', 'x'), hour)).toBe('apps')
  await expect.poll(() => store.has('a')).toBe(false)
  await expect.poll(() => store.append(line('c', 'x'), hour)).toBe(null)
  expect([store.has('b'), store.has('192.0.2.1')]).toEqual([true, true])
})

test('names of senders, files that are private, and a folder for one process', async () => {
  const store = start()
  for (const app of ['2001:db8::1', '192.0.2.1']) store.append(line(app, app), 0)
  await store.flush()
  const again = await restart(store)
  expect((await readdir(join(directory, 'apps'))).sort()).toEqual(['192.0.2.1', '2001%3Adb8%3A%3A1'])
  expect(textsOf(await again.tail('2001:db8::1', both, all))).toEqual(['2001:db8::1'])
  const [file] = await filesOf('192.0.2.1')
  expect((await stat(join(directory, 'apps', '192.0.2.1', file!))).mode & 0o777).toBe(0o600)
  expect(() => start()).toThrow('another process uses')
})

test('few files stay open, whatever the number of apps', async () => {
  let opened = 0
  let closed = 0
  const counting: OpenFile = async (path, flags) => {
    const file = await openPrivate(path, flags)
    expect(flags & constants.O_APPEND).toBe(constants.O_APPEND)
    opened++
    const close = file.close.bind(file)
    file.close = () => {
      closed++
      return close()
    }
    return file
  }
  const store = start({ maxApps: 1000, open: counting })
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 600; i++) store.append(line(`app-${i}`, `${round}`), 0)
    await store.flush()
  }
  await expect.poll(() => opened - closed).toBeLessThanOrEqual(256)
  expect(textsOf(await store.tail('app-7', both, all))).toEqual(['0', '1'])
  const again = await restart(store, { maxApps: 1000 })
  expect(again.apps).toBe(600)
})

test('an answer is bounded in octets: the newest', async () => {
  const store = start()
  await write(store, 'foo', 0, 1000)
  const found = await store.tail('foo', both, { lines: 1000, octets: 10_000 })
  expect(found.length).toBeGreaterThan(70)
  expect(found.length).toBeLessThan(100)
  expect(found.at(-1)!.text).toMatch(/^999 /)
})

test('an answer of several sources is bounded as one, in octets and not in characters', async () => {
  const store = start()
  const text = '日本'.repeat(50)
  for (const source of ['app', 'controller', 'router'] as const)
    for (let i = 0; i < 100; i++) store.append(line('foo', text, source), 0)
  for (const where of ['in memory', 'on disk']) {
    const found = await store.tail('foo', ['app', 'controller', 'router'], { lines: 1000, octets: 10_000 })
    const octets = found.reduce((sum, one) => sum + Buffer.byteLength(one.text), 0)
    expect([where, octets <= 10_000, octets > 8_000, found.at(-1)!.source]).toEqual([where, true, true, 'router'])
    await store.flush()
  }
})
