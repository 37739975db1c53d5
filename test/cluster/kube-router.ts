// kube-router as what it is taken for here: the enforcer of NetworkPolicies, and nothing else. It is built once from its
// Go module into the cache of the harness's own programs.
//
// It replaces the filter table as a whole by what it read a moment before, and what kube-proxy wrote between the two is
// lost: a Service whose endpoints came just then would go on being refused. So it gets a filter table of its own, the
// legacy one of the kernel, beside that of nftables which everybody else here writes. A packet has to pass both.

import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { cached } from './binaries.ts'
import { run, say, toolPath } from './command.ts'
import { nodeName, serviceRange } from './node-site.ts'
import { poll } from './poll.ts'

/** What it takes from Debian beside what a node does. */
export const kubeRouterPackages = ['ipset'] as const

const version = 'v2.1.0'
const module = 'github.com/cloudnativelabs/kube-router/v2'

/** In the cluster's directory, programs by the names under which kube-router calls them. */
const programs = 'legacy-packet-filter'

/** The path of kube-router, built now (two minutes) if it never was. Rejects with the compiler's complaint. */
export async function kubeRouter(): Promise<string> {
  const flags = ['-trimpath', '-ldflags', '-s -w']
  const entry = await cached('kube-router', [version, ...flags, process.arch], async target => {
    say('building kube-router: about two minutes the first time')
    const install = ['-n', '10', 'go', 'install', ...flags, `${module}/cmd/kube-router@${version}`]
    await run('nice', install, { env: { CGO_ENABLED: '0', GOBIN: target } })
  })
  return join(entry, 'kube-router')
}

/**
 * How `program` is called for the cluster in `directory`, whose node is there already: it looks up the node's addresses
 * once. It goes before others, as a pod whose rules come late is shut out by those who should let it in: to take in a
 * change it runs some dozens of programs one after the other, which on a busy machine would take seconds.
 */
export function kubeRouterCommand(
  directory: string,
  program: string,
  kubeconfig: string,
): { command: string; args: string[]; env: { PATH: string } } {
  const folder = join(directory, programs)
  mkdirSync(folder, { recursive: true })
  for (const name of ['iptables', 'iptables-save', 'iptables-restore'])
    symlinkSync(`/usr/sbin/${name.replace('iptables', 'iptables-legacy')}`, join(folder, name))
  const flags = [
    `--kubeconfig=${kubeconfig}`,
    `--hostname-override=${nodeName}`,
    `--service-cluster-ip-range=${serviceRange}`,
    '--run-firewall=true',
    '--run-router=false',
    '--run-service-proxy=false',
    '--health-port=0',
    // Its log tells how long each synchronisation takes.
    '--v=1',
  ]
  return { command: 'nice', args: ['-n', '-10', program, ...flags], env: { PATH: `${folder}:${toolPath}` } }
}

/** Resolves when it has begun to enforce; rejects with `over`. */
export async function policiesEnforced(over: Promise<never>): Promise<void> {
  await poll(
    'rules of kube-router',
    60,
    // The last thing that it adds to a table.
    async () => ((await legacyRules()).some(rule => /^-A KUBE-ROUTER-FORWARD .*-j ACCEPT$/.test(rule)) ? true : null),
    over,
  )
}

/** Removes all rules and sets of the kube-router of `directory`, which must have ended. Its own way to do so does nothing. */
export async function removeKubeRouterRules(directory: string): Promise<void> {
  // Where it never was, the legacy table is not even looked at: looking would make it.
  if (!existsSync(join(directory, programs))) return
  const rules = await legacyRules()
  const chains = rules.flatMap(rule => /^-N (KUBE-\S+)/.exec(rule)?.[1] ?? [])
  const jumps = rules.filter(rule => / -j KUBE-ROUTER-\w+$/.test(rule)).map(rule => rule.replace(/^-A/, '-D'))
  const lines = [...jumps, ...chains.map(chain => `-F ${chain}`), ...chains.map(chain => `-X ${chain}`)]
  await run('iptables-legacy-restore', ['-w', '--noflush'], { input: ['*filter', ...lines, 'COMMIT', ''].join('\n') })
  for (const set of await policySets()) await run('ipset', ['destroy', set])
}

/** Names of the address sets that the rules refer to. */
export async function policySets(): Promise<readonly string[]> {
  const names = (await run('ipset', ['list', '-name'])).split('\n')
  return names.filter(name => /^(KUBE-(SRC|DST)-|TMP-)[A-Z2-7]{16}$/.test(name))
}

/** The legacy filter table, as rules. */
export async function legacyRules(): Promise<readonly string[]> {
  return (await run('iptables-legacy', ['-w', '-S'])).split('\n')
}
