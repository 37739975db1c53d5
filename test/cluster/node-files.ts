// The configuration files of a node's components.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { controlGroupName } from './control-groups.ts'
import { credentialFiles, kubeconfigFile } from './credentials.ts'
import { ownImages } from './images.ts'
import { bridgeName, containerdSocket, hostAddress, networkName, podRange, runDirectory } from './node-site.ts'

/** Paths of the files, relative to the cluster's directory. */
export const nodeFiles = {
  containerd: 'containerd.toml',
  kubelet: 'kubelet.json',
  network: 'network/10-pods.conflist',
  nameServer: 'Corefile',
} as const

/** Writes all of them. */
export function writeNodeFiles(directory: string, kubeletPort: number): void {
  const write = (file: string, text: string) => writeFileSync(join(directory, file), text)
  mkdirSync(join(directory, 'network'), { recursive: true })
  write(nodeFiles.containerd, containerdConfig(directory))
  write(nodeFiles.network, JSON.stringify(networkConfig, null, 2))
  write(nodeFiles.kubelet, JSON.stringify(kubeletConfig(directory, kubeletPort), null, 2))
  write(nodeFiles.nameServer, corefile(directory))
}

// Name spaces are mounted below our own run directory, so that ours can be told from others'. Some machines do not let
// a process lower its OOM score, which containerd must be told.
function containerdConfig(directory: string): string {
  return `version = 2
root = "${join(directory, 'containerd')}"
state = "${join(runDirectory, 'containerd')}"

[grpc]
  address = "${containerdSocket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${ownImages.pause}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "${join(directory, 'network')}"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  Root = "${join(runDirectory, 'runc')}"

[plugins."io.containerd.internal.v1.opt"]
  path = "${join(directory, 'opt')}"
`
}

// Pods have no way out: nothing that a test runs in one may depend on the world.
const networkConfig = {
  cniVersion: '0.4.0',
  name: networkName,
  plugins: [
    {
      type: 'bridge',
      bridge: bridgeName,
      isGateway: true,
      ipMasq: false,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        ranges: [[{ subnet: podRange }]],
        routes: [{ dst: '0.0.0.0/0' }],
        dataDir: join(runDirectory, 'addresses'),
      },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
}

function kubeletConfig(directory: string, port: number): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: hostAddress,
    port,
    healthzPort: 0,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: false },
      x509: { clientCAFile: join(directory, credentialFiles.ca) },
    },
    authorization: { mode: 'AlwaysAllow' },
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${controlGroupName}`,
    // Cgroup v1 still serves, with a warning.
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    clusterDNS: [hostAddress],
    clusterDomain: 'cluster.local',
    podLogsDir: join(directory, 'log/pods'),
    volumePluginDir: join(directory, 'volume-plugins'),
    makeIPTablesUtilChains: false,
    // Whoever runs the tests may have an almost full disk.
    evictionHard: { 'imagefs.available': '1%', 'nodefs.available': '1%', 'memory.available': '50Mi' },
  }
}

function corefile(directory: string): string {
  return `.:53 {
  bind ${hostAddress}
  errors
  kubernetes cluster.local {
    kubeconfig ${kubeconfigFile(directory, 'admin')} test
    ttl 1
  }
}
`
}
