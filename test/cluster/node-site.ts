// The marks that a node leaves on the machine outside its own directory. There is one node at a time: it owns addresses,
// a bridge and the machine's packet filter.

import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { isAlive, recorded, startTime } from './daemon.ts'

/** Sockets, name spaces and addresses in use; it exists while there is a node, and its `owner` says whose. */
export const runDirectory = '/run/deis-cluster'
export const containerdSocket = join(runDirectory, 'containerd.sock')

export const nodeName = 'node1'
export const bridgeName = 'deis0'
/** Of the container network; it occurs in the comments of packet filter rules. */
export const networkName = 'deis-pods'
export const podRange = '10.247.0.0/24'
export const serviceRange = '10.98.0.0/16'
/** The first address of `serviceRange` is always the API server's. */
export const apiServiceAddress = '10.98.0.1'
/** An address on the loopback interface by which pods reach the API server and the name server. */
export const hostAddress = '10.251.0.1'

/** Kernel settings that the components change and that are put back afterwards. */
const kernelSettings = [
  'net/ipv4/ip_forward',
  'net/ipv4/conf/all/route_localnet',
  'net/bridge/bridge-nf-call-iptables',
  'vm/overcommit_memory',
  'kernel/panic',
  'kernel/panic_on_oops',
] as const

export interface NodeOwner {
  /** The cluster's directory. */
  readonly directory: string
  readonly pid: number
  readonly started: string
}

/** Who owns the machine's node; null if there is none. */
export function nodeOwner(): NodeOwner | null {
  const file = join(runDirectory, 'owner')
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as NodeOwner) : null
}

/** Whether the node of `owner` is starting or runs, or is the rest of one that died. */
export function isOccupied(owner: NodeOwner): boolean {
  return isAlive(owner.pid, owner.started) || recorded(owner.directory).length > 0
}

/** Takes the machine's node for `directory`. False if somebody has it. */
export function claimNode(directory: string): boolean {
  const owner: NodeOwner = { directory, pid: process.pid, started: startTime(process.pid) ?? '' }
  const aside = mkdtempSync(`${runDirectory}.`)
  writeFileSync(join(aside, 'owner'), JSON.stringify(owner))
  try {
    // A directory is renamed onto an empty one at most, so of two claims one fails.
    renameSync(aside, runDirectory)
    return true
  } catch (error) {
    rmSync(aside, { recursive: true })
    if (['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}

/** Gives the machine's node back, if `directory` has it; what was started there must have been swept. */
export function releaseNode(directory: string): void {
  if (nodeOwner()?.directory === directory) rmSync(runDirectory, { recursive: true })
}

/** Keeps the present kernel settings in the cluster's directory. */
export function saveKernelSettings(directory: string): void {
  const there = kernelSettings.filter(name => existsSync(`/proc/sys/${name}`))
  const values = there.map(name => [name, readFileSync(`/proc/sys/${name}`, 'utf8').trim()])
  writeFileSync(join(directory, 'kernel-settings.json'), JSON.stringify(Object.fromEntries(values)))
}

export interface ProcessEntry {
  readonly pid: number
  readonly parent: number
  readonly args: readonly string[]
}

/** All processes of the machine. */
export function processes(): readonly ProcessEntry[] {
  return readdirSync('/proc').flatMap(name => {
    if (!/^\d+$/.test(name)) return []
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      const args = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')
      return [{ pid: Number(name), parent, args }]
    } catch {
      return []
    }
  })
}

/**
 * The id of a kube-proxy that is none of ours and writes the packet filter of this network name space; null if there is
 * none. Two of them would undo each other's rules.
 */
export function foreignKubeProxy(): number | null {
  const here = readlinkSync('/proc/self/ns/net')
  const found = processes().find(({ pid, args }) => {
    if (!args.slice(0, 2).some(arg => arg === 'kube-proxy' || arg.endsWith('/kube-proxy'))) return false
    try {
      return readlinkSync(`/proc/${pid}/ns/net`) === here
    } catch {
      return false
    }
  })
  return found?.pid ?? null
}
