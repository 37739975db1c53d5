// Keys, certificates, tokens and kubeconfigs of one cluster, all new with each start and readable only by their owner.

import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { authority, clientCertificate, type KeyPair, rsaKey, serverCertificate } from './certificates.ts'
import { apiServiceAddress, hostAddress } from './node-site.ts'

export interface Credentials {
  /** PEM: the cluster's authority. */
  readonly ca: string
  /** User to bearer token. */
  readonly tokens: ReadonlyMap<string, string>
}

/** Paths of the files, relative to the cluster's directory. */
export const credentialFiles = {
  ca: 'certs/ca.crt',
  apiServer: { certificate: 'certs/api-server.crt', key: 'certs/api-server.key' },
  kubeletClient: { certificate: 'certs/kubelet-client.crt', key: 'certs/kubelet-client.key' },
  serviceAccountKey: 'certs/service-account.key',
  tokens: 'certs/tokens.csv',
} as const

const userName = /^[a-z0-9]([a-z0-9:._-]*[a-z0-9])?$/i

/** Writes everything that the API server needs to know its users and to be known by them. */
export async function writeCredentials(
  directory: string,
  users: Readonly<Record<string, readonly string[]>>,
): Promise<Credentials> {
  mkdirSync(join(directory, 'certs'), { recursive: true, mode: 0o700 })
  const write = (file: string, text: string) => writeFileSync(join(directory, file), text, { mode: 0o600 })
  const writePair = (files: { certificate: string; key: string }, pair: KeyPair) => {
    write(files.certificate, pair.certificate)
    write(files.key, pair.key)
  }
  const ca = await authority('deis test cluster')
  const service = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc']
  const [apiServer, kubeletClient, serviceAccountKey] = await Promise.all([
    serverCertificate(
      ca,
      { commonName: 'kube-apiserver' },
      {
        dns: ['localhost', ...service, 'kubernetes.default.svc.cluster.local'],
        addresses: ['127.0.0.1', hostAddress, apiServiceAddress],
      },
    ),
    clientCertificate(ca, { commonName: 'kube-apiserver-kubelet-client' }),
    rsaKey(),
  ])
  write(credentialFiles.ca, ca.certificate)
  writePair(credentialFiles.apiServer, apiServer)
  writePair(credentialFiles.kubeletClient, kubeletClient)
  write(credentialFiles.serviceAccountKey, serviceAccountKey)
  const tokens = new Map<string, string>()
  const lines = Object.entries(users).map(([user, groups], index) => {
    for (const name of [user, ...groups]) if (!userName.test(name)) throw new Error(`not the name of a user: ${name}`)
    const token = randomBytes(24).toString('hex')
    tokens.set(user, token)
    return `${token},${user},${index},"${groups.join(',')}"\n`
  })
  write(credentialFiles.tokens, lines.join(''))
  return { ca: ca.certificate, tokens }
}

/** Where the kubeconfig of a user is. No colon, because the variable KUBECONFIG is a list separated by colons. */
export function kubeconfigFile(directory: string, user: string): string {
  return join(directory, 'kubeconfig', `${user.replaceAll(':', '-')}.yaml`)
}

/** Writes a kubeconfig that needs no other file; gives its path. */
export function writeKubeconfig(directory: string, user: string, url: string, ca: string, token: string): string {
  const file = kubeconfigFile(directory, user)
  mkdirSync(join(directory, 'kubeconfig'), { recursive: true, mode: 0o700 })
  // JSON is YAML.
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'test', cluster: { server: url, 'certificate-authority-data': Buffer.from(ca).toString('base64') } },
    ],
    users: [{ name: user, user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user } }],
    'current-context': 'test',
  }
  writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 })
  return file
}
