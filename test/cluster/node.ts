// A whole Kubernetes of one node on this machine: the control plane, the unmodified controllers, scheduler, kubelet and
// kube-proxy, containerd with the bridge network, and CoreDNS. Needs root; one at a time on a machine. Beside what
// `control-plane.ts` offers, Pods run, Services have endpoints, and NodePorts and hostPorts answer on 127.0.0.1.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { binary } from './binaries.ts'
import { run } from './command.ts'
import { makeControlGroup } from './control-groups.ts'
import { ControlPlane, type ControlPlaneOptions, freePort } from './control-plane.ts'
import { credentialFiles } from './credentials.ts'
import { Daemon } from './daemon.ts'
import { buildImage, containerdCommand, loadArchive, ownImageArchive } from './images.ts'
import { kubeRouter, kubeRouterCommand, kubeRouterPackages, policiesEnforced } from './kube-router.ts'
import { ensurePackages, isRoot } from './machine.ts'
import { nodeFiles, writeNodeFiles } from './node-files.ts'
import {
  claimNode,
  foreignKubeProxy,
  hostAddress,
  isOccupied,
  nodeName,
  nodeOwner,
  podRange,
  releaseNode,
  saveKernelSettings,
} from './node-site.ts'
import { poll } from './poll.ts'
import { sweep } from './sweep.ts'

const users = {
  'system:kube-controller-manager': [],
  'system:kube-scheduler': [],
  'system:kube-proxy': [],
  [`system:node:${nodeName}`]: ['system:nodes'],
}

/** What a node takes from Debian beside what the control plane does. */
export const nodePackages = [
  'containerd',
  'runc',
  'containernetworking-plugins',
  'iptables',
  'conntrack',
  'iproute2',
] as const

/**
 * Images are tens of thousands of small files that live for minutes: they take a disk longer to make and to remove than all
 * else here. Where there is little memory they stay on it.
 */
async function giveMemory(path: string): Promise<void> {
  if (totalmem() < 12 * 2 ** 30) return
  mkdirSync(path, { mode: 0o711 })
  await run('mount', ['-t', 'tmpfs', '-o', 'size=8g,mode=0711', 'deis-cluster', path])
}

interface NodeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

export interface NodeOptions extends Omit<ControlPlaneOptions, 'servesPods'> {
  /** Enforce NetworkPolicies; otherwise they are kept and change nothing. */
  readonly networkPolicies?: boolean
}

export class NodeRuntime {
  readonly controlPlane: ControlPlane
  readonly #enforces: boolean

  constructor({ networkPolicies = false, ...options }: NodeOptions = {}) {
    this.#enforces = networkPolicies
    this.controlPlane = new ControlPlane({ ...options, users: { ...users, ...options.users }, servesPods: true })
  }

  /**
   * Resolves when the node is ready and pods can be created in the default namespace. Rejects, with nothing left
   * behind, if it does not come to that, or if there is another node on this machine.
   */
  async start(): Promise<void> {
    if (!isRoot) throw new Error('a node takes root: it makes name spaces, mounts and packet filter rules')
    const [nameServer, pause, echo, enforcer] = await Promise.all([
      binary('dns'),
      ownImageArchive('pause'),
      ownImageArchive('echo'),
      this.#enforces ? kubeRouter() : null,
      binary('kube'),
      ensurePackages([...nodePackages, ...(this.#enforces ? kubeRouterPackages : [])]),
    ])
    await this.#claim()
    try {
      const other = foreignKubeProxy()
      if (other) throw new Error(`process ${other} is a kube-proxy that writes this machine's packet filter already`)
      await this.controlPlane.start()
      await this.#launch(nameServer, [pause, echo])
      if (enforcer) await this.#enforce(enforcer)
    } catch (error) {
      await this.stop()
      releaseNode(this.controlPlane.directory)
      throw error
    }
  }

  /** Ends every pod and process and undoes every change to the machine. */
  async stop(): Promise<void> {
    await this.controlPlane.stop()
  }

  /** Gives the node the images of an OCI or Docker archive. */
  async loadImage(archive: string): Promise<void> {
    await loadArchive(archive)
  }

  /**
   * Builds `directory`'s Dockerfile and gives the image to the node as `name`, which must be in full:
   * `localhost/router:1`. FROM can name `scratch` and what was built before.
   */
  async buildImage(directory: string, name: string): Promise<void> {
    await buildImage(this.controlPlane.directory, directory, name)
  }

  async #claim(): Promise<void> {
    while (!claimNode(this.controlPlane.directory)) {
      const owner = nodeOwner()
      if (owner && isOccupied(owner)) throw new Error(`there is a node on this machine already, in ${owner.directory}`)
      // Its owner and its guardian were killed, or the machine was.
      if (owner) await sweep(owner.directory)
    }
  }

  async #launch(nameServer: string, archives: readonly string[]): Promise<void> {
    const { directory } = this.controlPlane
    saveKernelSettings(directory)
    writeFileSync('/proc/sys/net/ipv4/ip_forward', '1')
    makeControlGroup()
    await run('ip', ['address', 'replace', `${hostAddress}/32`, 'dev', 'lo'])
    writeNodeFiles(directory, await freePort(hostAddress))
    await giveMemory(join(directory, 'containerd'))
    const daemons = [
      this.#daemon('coredns', nameServer, [`-conf=${nodeFiles.nameServer}`]),
      ...this.#startControllers(await freePort('127.0.0.1')),
      await this.#startContainerd(archives),
      this.#startKubelet(),
    ]
    const over = Promise.race(daemons.map(daemon => daemon.failed))
    over.catch(() => {})
    await poll('ready node', 120, () => this.#isReady(), over)
    const account = '/api/v1/namespaces/default/serviceaccounts/default'
    await poll('default service account', 60, () => this.controlPlane.request('GET', account), over)
  }

  // Until it runs nothing is fenced, so nobody gets the node before.
  async #enforce(program: string): Promise<void> {
    const { directory } = this.controlPlane
    // What one pod sends to another on the same bridge passes the packet filter only if this says so.
    const setting = '/proc/sys/net/bridge/bridge-nf-call-iptables'
    if (!existsSync(setting)) await run('modprobe', ['br_netfilter'])
    writeFileSync(setting, '1')
    const command = kubeRouterCommand(directory, program, this.controlPlane.kubeconfig())
    const daemon = new Daemon({ directory, name: 'kube-router', ...command })
    await policiesEnforced(daemon.failed)
  }

  async #startContainerd(archives: readonly string[]): Promise<Daemon> {
    const containerd = this.#daemon('containerd', 'containerd', [`--config=${nodeFiles.containerd}`])
    await poll('containerd', 60, () => containerdCommand(['version']), containerd.failed)
    for (const archive of archives) await loadArchive(archive)
    return containerd
  }

  #startControllers(metricsPort: number): readonly Daemon[] {
    return [
      this.#kubernetes('kube-controller-manager', 'system:kube-controller-manager', [
        '--leader-elect=false',
        '--secure-port=0',
        '--use-service-account-credentials',
        `--service-account-private-key-file=${credentialFiles.serviceAccountKey}`,
        `--root-ca-file=${credentialFiles.ca}`,
        '--flex-volume-plugin-dir=volume-plugins',
      ]),
      this.#kubernetes('kube-scheduler', 'system:kube-scheduler', ['--leader-elect=false', '--secure-port=0']),
      // Connection tracking limits are the machine's own business.
      this.#kubernetes('kube-proxy', 'system:kube-proxy', [
        `--hostname-override=${nodeName}`,
        '--proxy-mode=iptables',
        `--cluster-cidr=${podRange}`,
        '--conntrack-max-per-core=0',
        '--conntrack-tcp-timeout-established=0',
        '--conntrack-tcp-timeout-close-wait=0',
        '--healthz-bind-address=',
        `--metrics-bind-address=127.0.0.1:${metricsPort}`,
      ]),
    ]
  }

  #startKubelet(): Daemon {
    const { directory } = this.controlPlane
    return this.#kubernetes('kubelet', `system:node:${nodeName}`, [
      `--config=${nodeFiles.kubelet}`,
      `--hostname-override=${nodeName}`,
      `--node-ip=${hostAddress}`,
      `--root-dir=${join(directory, 'kubelet')}`,
      `--cert-dir=${join(directory, 'kubelet-certs')}`,
    ])
  }

  #kubernetes(name: string, user: string, flags: readonly string[]): Daemon {
    const { controlPlane } = this
    const kubeconfig = `--kubeconfig=${controlPlane.kubeconfig(user)}`
    return this.#daemon(name, join(controlPlane.directory, 'bin', name), [kubeconfig, ...flags])
  }

  #daemon(name: string, command: string, args: readonly string[]): Daemon {
    return new Daemon({ directory: this.controlPlane.directory, name, command, args })
  }

  async #isReady(): Promise<true | null> {
    const node = await this.controlPlane.request<NodeObject>('GET', `/api/v1/nodes/${nodeName}`)
    const conditions = node.status?.conditions ?? []
    return conditions.some(({ type, status }) => type === 'Ready' && status === 'True') ? true : null
  }
}
