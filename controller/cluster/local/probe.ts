// One try of a health check (controller contract, section 5, Config): what kubelet would do, against this machine.

import { once } from 'node:events'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { connect } from 'node:net'
import { ChildGroup, explainExit, type GroupOptions } from '#kit/children/child-group.ts'
import type { Probe } from '../../domain/config.ts'
import { duration } from './duration.ts'

export interface ProbeTarget {
  /** Where the process listens. */
  readonly port: number | null
  /** What the config calls that port: on a cluster all processes have the same one. */
  readonly configuredPort: number | null
  /** How a command is run beside the process. */
  readonly group: Omit<GroupOptions, 'command' | 'output' | 'name'>
}

/** Null: it succeeded; else why not, as a clause. Rejects only when `signal` aborts. */
export async function tryProbe(probe: Probe, target: ProbeTarget, signal: AbortSignal): Promise<string | null> {
  const timeout = duration(Math.max(1, probe.timeoutSeconds ?? 1))
  const late = AbortSignal.timeout(timeout)
  const either = AbortSignal.any([signal, late])
  try {
    if (probe.httpGet !== undefined) return await tryHttp(probe.httpGet, target, either)
    if (probe.tcpSocket !== undefined) return await tryTcp(portOf(probe.tcpSocket.port, target), either)
    if (probe.exec !== undefined) return await tryCommand(probe.exec.command, target, either)
    return null
  } catch (error) {
    signal.throwIfAborted()
    if (late.aborted) return `no answer within ${timeout / 1_000} s`
    return (error as NodeJS.ErrnoException).code ?? (error as Error).message
  }
}

function portOf(configured: number, { port, configuredPort }: ProbeTarget): number {
  return configured === configuredPort && port !== null ? port : configured
}

async function tryTcp(port: number, signal: AbortSignal): Promise<string | null> {
  const socket = connect({ host: '127.0.0.1', port })
  try {
    await once(socket, 'connect', { signal })
    // Where nobody listens, the kernel may give us that very port to come from, and connect us to ourselves.
    return socket.localPort === port ? 'ECONNREFUSED' : null
  } finally {
    socket.destroy()
  }
}

/** `host` is what the request says, never where it goes: a probe is no way to reach other machines. */
async function tryHttp(get: NonNullable<Probe['httpGet']>, target: ProbeTarget, signal: AbortSignal) {
  const headers: Record<string, string> = { connection: 'close', 'user-agent': 'kube-probe/1.34' }
  if (get.host !== undefined) headers.host = get.host
  for (const { name, value } of get.httpHeaders ?? []) headers[name.toLowerCase()] = value
  const path = get.path ?? '/'
  const where = {
    host: '127.0.0.1',
    port: portOf(get.port ?? target.configuredPort ?? 80, target),
    path: path.startsWith('/') ? path : `/${path}`,
    headers,
    agent: false,
    signal,
  } as const
  const isTls = get.scheme?.toUpperCase() === 'HTTPS'
  // Like kubelet: who the process is, is known; its certificate need not be.
  const request = isTls ? requestHttps({ ...where, rejectUnauthorized: false }) : requestHttp(where)
  // After the answer has come nobody waits for errors any more.
  request.on('error', () => {})
  request.end()
  const [response] = await once(request, 'response', { signal })
  const status: number = response.statusCode
  response.destroy()
  return status >= 200 && status < 400 ? null : `status ${status}`
}

async function tryCommand(command: readonly string[], { group }: ProbeTarget, signal: AbortSignal) {
  const child = new ChildGroup({ ...group, name: 'probe', command, output: { kind: 'none' } })
  const end = (): void => child.kill()
  signal.addEventListener('abort', end)
  const exit = await child.exited
  signal.removeEventListener('abort', end)
  signal.throwIfAborted()
  return exit.kind === 'exited' && exit.code === 0 ? null : explainExit(exit)
}
