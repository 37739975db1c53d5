// A network of our own for `--api real`: the API server refuses loopback addresses in EndpointSlices, so the backend
// needs another one, and it shall exist nowhere but here. The bench starts itself again in a fresh network namespace,
// with everything that it starts; the namespace is gone with the last of them. Needs root.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { findProgram } from '../support/machine.ts'

/** Of the range for benches (RFC 2544); an address of the namespace's own loopback device. */
export const namespaceAddress = '198.18.0.1'

const marker = 'BENCH_NETWORK_NAMESPACE'

/** Whether this process is the one inside. */
export function isInside(): boolean {
  return process.env[marker] === '1'
}

/** Runs this very command again inside; resolves with its exit code. Signals go to both, as from a terminal. */
export async function runInside(): Promise<number> {
  if (process.getuid?.() !== 0) throw new Error('--api real needs root, for a network namespace of its own')
  const unshare = findProgram('unshare')
  if (unshare === null) throw new Error('--api real needs unshare (Debian: util-linux)')
  const child = spawn(unshare, ['--net', '--', process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, [marker]: '1' },
  })
  const pass = (signal: NodeJS.Signals) => void child.kill(signal)
  process.on('SIGINT', pass).on('SIGTERM', pass)
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}

/** Brings the namespace's loopback device up with both addresses. */
export function setUpInside(): void {
  const ip = findProgram('ip')
  if (ip === null) throw new Error('--api real needs ip (Debian: iproute2)')
  const commands = [
    ['link', 'set', 'lo', 'up'],
    ['address', 'add', `${namespaceAddress}/32`, 'dev', 'lo'],
  ]
  for (const args of commands) {
    const { status, stderr } = spawnSync(ip, args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`ip ${args.join(' ')} failed: ${stderr.trim()}`)
  }
}
