// What compressing a response costs, by coding, level and size: CPU time of the whole process, so that the thread pool
// counts. `encoder` is what the router does with a body that is at hand, `pieces` with one that comes in reads of 8 kB,
// each flushed; `function` is node:zlib's own synchronous one, `stream` its stream, which works on the thread pool.
// Kept in bench/results, because the order of preference rests on it.

import {
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib'
import { describeMachine } from '#bench/support/machine.ts'
import { saveResult } from '#bench/support/results.ts'
import { median } from '#bench/support/statistics.ts'
import type { Coding } from '#router/data/coding/accept.ts'
import { Encoder, type EncoderSink } from '#router/data/coding/encoder.ts'

const sizes = [2_000, 16_000, 100_000] as const
const levels: Readonly<Record<Coding, readonly number[]>> = { gzip: [1, 5, 9], br: [1, 4, 5], zstd: [1, 3, 6] }
const piece = 8192
const rounds = 7
const roundLength = 40

interface Row {
  readonly document: string
  readonly octets: number
  readonly coding: Coding
  readonly level: number
  /** Octets of the body for one of the coded one. */
  readonly ratio: number
  /** CPU µs for a response, medians. */
  readonly encoder: number
  readonly pieces: number
  readonly function: number
  readonly stream: number
}

/** Always the same numbers, from 0 to below `bound`. */
function numbers(): (bound: number) => number {
  let state = 42
  return bound => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}

const words = 'invoice customer pending shipped premium basic Berlin Osaka Lima router green alpha order region total'
  .split(' ')
  .flatMap(word => [word, `${word}s`, `un${word}`])

/** What an API answers: records of identifiers, names, numbers and times. */
function json(octets: number): Buffer {
  const below = numbers()
  const word = (): string => words[below(words.length)]!
  const records = Array.from({ length: Math.ceil(octets / 150) }, () => ({
    id: below(1e9),
    key: below(2 ** 32).toString(16) + below(2 ** 32).toString(16),
    name: `${word()} ${word()}`,
    price: below(100_000) / 100,
    tags: [word(), word()],
    active: below(2) === 1,
    createdAt: new Date(1.7e12 + below(1e11)).toISOString(),
  }))
  return Buffer.from(JSON.stringify({ records })).subarray(0, octets)
}

/** A page: sentences in markup that repeats. */
function html(octets: number): Buffer {
  const below = numbers()
  const sentence = (): string => Array.from({ length: 4 + below(9) }, () => words[below(words.length)]).join(' ')
  let text = '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>Orders</title></head>\n<body>\n'
  while (text.length < octets) {
    const id = below(100_000)
    text += `<li class="order row-${below(2)}"><a href="/orders/${id}">${sentence()}</a>\n  <p>${sentence()}.</p></li>\n`
  }
  return Buffer.from(text).subarray(0, octets)
}

let encoded = 0
const sink: EncoderSink = {
  onEncoded: (_buffer, start, end) => {
    encoded += end - start
  },
  onEncoderReady: () => {},
  onEncoderError: () => {
    throw new Error('an encoder failed')
  },
}

function whole(coding: Coding, level: number, body: Buffer): void {
  Encoder.acquire(coding, level, 0, 0, sink)!.end(body)
}

function inPieces(coding: Coding, level: number, body: Buffer): void {
  const encoder = Encoder.acquire(coding, level, 0, 0, sink)!
  for (let at = 0; at < body.length; at += piece) encoder.write(body, at, Math.min(at + piece, body.length), false)
  encoder.end()
}

/** With the small windows and tables that the router sets, so that only the way differs. */
function optionsOf(coding: Coding, level: number): object {
  if (coding === 'gzip') return { level }
  if (coding === 'br')
    return { params: { [constants.BROTLI_PARAM_QUALITY]: level, [constants.BROTLI_PARAM_LGWIN]: level <= 4 ? 18 : 16 } }
  return {
    params: {
      [constants.ZSTD_c_compressionLevel]: level,
      [constants.ZSTD_c_windowLog]: 18,
      [constants.ZSTD_c_hashLog]: 15,
      [constants.ZSTD_c_chainLog]: 15,
    },
  }
}

const functions = { gzip: gzipSync, br: brotliCompressSync, zstd: zstdCompressSync } as const
const streams = { gzip: createGzip, br: createBrotliCompress, zstd: createZstdCompress } as const

function byStream(coding: Coding, options: object, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = streams[coding](options)
    stream.on('data', (chunk: Buffer) => {
      encoded += chunk.length
    })
    stream.on('end', resolve)
    stream.on('error', reject)
    stream.end(body)
  })
}

/** CPU µs for one call: the median of several rounds. */
async function cost(work: () => void | Promise<void>): Promise<number> {
  const results: number[] = []
  for (let round = 0; round <= rounds; round++) {
    const before = process.cpuUsage()
    const end = performance.now() + roundLength
    let calls = 0
    for (; performance.now() < end; calls++) {
      const working = work()
      if (working !== undefined) await working
    }
    const { user, system } = process.cpuUsage(before)
    // The first one warms up.
    if (round > 0) results.push((user + system) / calls)
  }
  return median(results)!
}

async function measure(document: string, body: Buffer, coding: Coding, level: number): Promise<Row> {
  encoded = 0
  whole(coding, level, body)
  const ratio = body.length / encoded
  const options = optionsOf(coding, level)
  return {
    document,
    octets: body.length,
    coding,
    level,
    ratio: Number(ratio.toFixed(2)),
    encoder: Number((await cost(() => whole(coding, level, body))).toFixed(1)),
    pieces: Number((await cost(() => inPieces(coding, level, body))).toFixed(1)),
    function: Number((await cost(() => void functions[coding](body, options))).toFixed(1)),
    stream: Number((await cost(() => byStream(coding, options, body))).toFixed(1)),
  }
}

const columns = ['ratio', 'encoder', 'pieces', 'function', 'stream'] as const
console.log(`CPU µs for a response\n${''.padEnd(24)}${columns.map(name => name.padStart(10)).join('')}`)
const rows: Row[] = []
for (const [document, make] of Object.entries({ json, html })) {
  for (const octets of sizes) {
    for (const coding of ['gzip', 'br', 'zstd'] as const) {
      for (const level of levels[coding]) {
        const row = await measure(document, make(octets), coding, level)
        rows.push(row)
        const name = `${document} ${octets / 1000} kB, ${coding} ${level}`
        console.log(name.padEnd(24) + columns.map(column => row[column].toFixed(1).padStart(10)).join(''))
      }
    }
  }
}
const head = { date: new Date().toISOString(), command: 'node bench/micro/coding.ts', machine: describeMachine() }
console.log(`\nKept as ${saveResult('coding', { ...head, rows }, null)}`)
