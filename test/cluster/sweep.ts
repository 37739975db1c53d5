// Clears away all that a cluster has left on the machine: it needs nothing but the cluster's directory, and does no harm
// where there is nothing to clear away.

import {
  existsSync,
  globSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { run } from './command.ts'
import { removeControlGroup } from './control-groups.ts'
import { killRecorded } from './daemon.ts'
import { removeKubeRouterRules } from './kube-router.ts'
import { unmountBelow } from './mounts.ts'
import {
  bridgeName,
  containerdSocket,
  hostAddress,
  networkName,
  nodeOwner,
  type ProcessEntry,
  processes,
  runDirectory,
} from './node-site.ts'

const fixedDirectories = [
  '/var/lib/kubelet/device-plugins',
  '/var/lib/kubelet',
  '/var/lib/cni/results',
  '/var/lib/cni',
  '/var/log/containers',
  '/run/containerd/s',
  '/run/containerd',
]

/** Ends the processes of the cluster in `directory`, undoes its node if it has one, and removes the directory. */
export async function sweep(directory: string): Promise<void> {
  await killRecorded(directory)
  if (nodeOwner()?.directory === directory) await sweepNode(directory)
  rmSync(directory, { recursive: true, force: true })
}

async function sweepNode(directory: string): Promise<void> {
  await endPods()
  // The directory is removed with all that is in it.
  await unmountBelow(directory, runDirectory)
  await removePacketFilterRules(directory)
  await removeLinks()
  await removeControlGroup()
  restoreKernelSettings(directory)
  rmSync(runDirectory, { recursive: true, force: true })
  removeFixedPaths(directory)
}

// The components have no setting for these. A directory goes only if it is empty then.
function removeFixedPaths(directory: string): void {
  for (const file of globSync('/var/lib/cni/results/*')) {
    if (readFileSync(file, 'utf8').includes(runDirectory)) rmSync(file)
  }
  for (const link of globSync('/var/log/containers/*.log')) {
    if (lstatSync(link).isSymbolicLink() && readlinkSync(link).startsWith(`${directory}/`)) rmSync(link)
  }
  rmSync('/var/lib/kubelet/device-plugins/kubelet.sock', { force: true })
  for (const path of fixedDirectories) {
    if (existsSync(path) && readdirSync(path).length === 0) rmdirSync(path)
  }
}

// Every container hangs below a shim that outlives containerd, by design; the shim's arguments name our socket.
async function endPods(): Promise<void> {
  const shims = (all: readonly ProcessEntry[]) =>
    all.filter(({ args }) => args[0]?.includes('containerd-shim') && args.includes(containerdSocket))
  const deadline = performance.now() + 10_000
  for (let round = 0; ; round++) {
    const all = processes()
    const left = shims(all)
    if (left.length === 0) return
    if (performance.now() > deadline) throw new Error(`pods that do not end: ${left.map(({ pid }) => pid).join(' ')}`)
    for (const { pid } of left) {
      for (const container of descendants(pid, all)) signal(container, 'SIGKILL')
      // On SIGTERM a shim removes its socket; it gets half a second for that.
      signal(pid, round < 10 ? 'SIGTERM' : 'SIGKILL')
    }
    await setTimeout(50)
  }
}

function descendants(pid: number, all: readonly ProcessEntry[]): readonly number[] {
  return all.filter(({ parent }) => parent === pid).flatMap(child => [child.pid, ...descendants(child.pid, all)])
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

async function removePacketFilterRules(directory: string): Promise<void> {
  await removeKubeRouterRules(directory)
  const kubeProxy = join(directory, 'bin/kube-proxy')
  if (existsSync(kubeProxy)) await run(kubeProxy, ['--cleanup'])
  // The port mapping plugin has a chain for each pod, named in rules whose comment tells the network.
  const rules = (await natRules()).filter(rule => rule.includes(`\\"${networkName}\\"`))
  for (const rule of rules) await iptables(['-D', ...ruleArguments(rule)])
  const podChains = rules.flatMap(rule => / -j (CNI-\S+)/.exec(rule)?.[1] ?? [])
  for (const chain of new Set(podChains.filter(name => /^CNI-DN-/.test(name)))) await removeChain(chain)
  for (const chain of ['CNI-HOSTPORT-DNAT', 'CNI-HOSTPORT-SETMARK', 'CNI-HOSTPORT-MASQ']) await removeIfUnused(chain)
  for (const command of ['iptables', 'ip6tables']) await removeFirewallChain(command)
}

// kube-proxy --cleanup forgets this one. Nobody else's kube-proxy is here, or the node would not have started.
async function removeFirewallChain(command: string): Promise<void> {
  const rules = await run(command, ['-w', '-S']).catch(() => '')
  if (!rules.includes('-N KUBE-FIREWALL\n')) return
  const jumps = rules.split('\n').filter(rule => rule.endsWith(' -j KUBE-FIREWALL'))
  for (const rule of jumps) await run(command, ['-w', '-D', ...ruleArguments(rule)])
  for (const flag of ['-F', '-X']) await run(command, ['-w', flag, 'KUBE-FIREWALL'])
}

async function natRules(): Promise<readonly string[]> {
  const text = await run('iptables', ['-w', '-t', 'nat', '-S'])
  return text.split('\n').filter(line => line.startsWith('-A '))
}

async function iptables(args: readonly string[]): Promise<void> {
  await run('iptables', ['-w', '-t', 'nat', ...args])
}

// As printed by `iptables -S`, without the leading -A: blanks separate, double quotes hold together.
function ruleArguments(rule: string): readonly string[] {
  return [...rule.slice(3).matchAll(/"((?:\\.|[^"\\])*)"|(\S+)/g)].map(
    ([, quoted, plain]) => plain ?? (quoted ?? '').replace(/\\(.)/g, '$1'),
  )
}

async function removeChain(chain: string): Promise<void> {
  await iptables(['-F', chain])
  await iptables(['-X', chain])
}

// These chains are shared by all networks of the port mapping plugin. Whoever else maps ports has a rule with a comment.
async function removeIfUnused(chain: string): Promise<void> {
  const rules = await natRules()
  if (rules.some(rule => rule.startsWith('-A CNI-HOSTPORT') && /(dnat name|id): /.test(rule))) return
  for (const rule of rules.filter(line => line.includes(` -j ${chain}`))) await iptables(['-D', ...ruleArguments(rule)])
  const chains = await run('iptables', ['-w', '-t', 'nat', '-S'])
  if (chains.includes(`-N ${chain}\n`)) await removeChain(chain)
}

async function removeLinks(): Promise<void> {
  if (existsSync(`/sys/class/net/${bridgeName}`)) await run('ip', ['link', 'delete', bridgeName])
  const addresses = await run('ip', ['-o', 'address', 'show', 'dev', 'lo'])
  if (addresses.includes(` ${hostAddress}/32 `))
    await run('ip', ['address', 'delete', `${hostAddress}/32`, 'dev', 'lo'])
}

function restoreKernelSettings(directory: string): void {
  const file = join(directory, 'kernel-settings.json')
  if (!existsSync(file)) return
  const values = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>
  for (const [name, value] of Object.entries(values)) writeFileSync(`/proc/sys/${name}`, value)
}
