// Large bodies through the router, with the router's memory read all the while.

import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { chunks } from '../support/payload.ts'
import { treeResidentSize } from '../support/process-stat.ts'

/** One way to send a large body. */
export interface Transfer {
  readonly name: string
  readonly direction: 'download' | 'upload'
  /** The receiver of the bytes stops reading for this long, once, half way: who buffers then, shows. Milliseconds. */
  readonly stall: number
}

export const transfers: readonly Transfer[] = [
  { name: 'download', direction: 'download', stall: 0 },
  { name: 'download, client stalls 3 s', direction: 'download', stall: 3_000 },
  { name: 'upload', direction: 'upload', stall: 0 },
  { name: 'upload, app stalls 3 s', direction: 'upload', stall: 3_000 },
]

export interface TransferOutcome {
  readonly name: string
  readonly bytes: number
  readonly seconds: number
  /** Resident bytes of the router's process tree. */
  readonly before: number
  readonly peak: number
  readonly after: number
}

/** Between two readings of memory, in milliseconds. */
const interval = 20
/** After the transfer, before the last reading: what was freed may be given back. */
const rest = 200

/** Throws when the body does not arrive whole. */
export async function measureTransfer(
  transfer: Transfer,
  target: { readonly port: number; readonly host: string; readonly routerPid: number },
  bytes: number,
): Promise<TransferOutcome> {
  const before = treeResidentSize(target.routerPid)
  let peak = before
  const watch = setInterval(() => {
    peak = Math.max(peak, treeResidentSize(target.routerPid))
  }, interval)
  const started = performance.now()
  try {
    const move = transfer.direction === 'download' ? download : upload
    const arrived = await move(target.port, target.host, bytes, transfer.stall)
    if (arrived !== bytes) throw new Error(`${transfer.name}: ${arrived} of ${bytes} bytes arrived`)
  } finally {
    clearInterval(watch)
  }
  const seconds = (performance.now() - started - transfer.stall) / 1_000
  peak = Math.max(peak, treeResidentSize(target.routerPid))
  await delay(rest)
  return { name: transfer.name, bytes, seconds, before, peak, after: treeResidentSize(target.routerPid) }
}

async function download(port: number, host: string, bytes: number, stall: number): Promise<number> {
  const sent = request({ ...local(port, host), path: `/download?bytes=${bytes}` }).end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  if (response.statusCode !== 200) throw new Error(`the download was answered ${response.statusCode}`)
  let received = 0
  let stalled = stall === 0
  for await (const chunk of response) {
    received += (chunk as Buffer).length
    if (!stalled && received >= bytes / 2) {
      stalled = true
      await delay(stall)
    }
  }
  return received
}

/** Resolves with what the app says it received. */
async function upload(port: number, host: string, bytes: number, stall: number): Promise<number> {
  const path = `/upload?stall=${stall}&after=${Math.floor(bytes / 2)}`
  const sent = request({ ...local(port, host), path, method: 'POST' })
  sent.setHeader('Content-Length', bytes)
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>
  const writing = (async () => {
    for (const chunk of chunks(bytes)) if (!sent.write(chunk)) await Promise.race([once(sent, 'drain'), answered])
    sent.end()
  })()
  const [[response]] = await Promise.all([answered, writing])
  if (response.statusCode !== 200) throw new Error(`the upload was answered ${response.statusCode}`)
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  return Number(text)
}

function local(port: number, host: string) {
  return { host: '127.0.0.1', port, headers: { Host: host }, agent: false as const }
}
