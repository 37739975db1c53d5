// The directory of manifests that the embedded router reads: examples to begin with, then yours to edit.

import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { selfSign } from '#kit/self-signed.ts'

const examples = fileURLToPath(new URL('../examples/manifests', import.meta.url))

/** Copies the examples on the first start, all or nothing; later starts find what you made of them. */
export function prepareManifests(directory: string): void {
  if (existsSync(directory)) return
  const parent = dirname(directory)
  mkdirSync(parent, { recursive: true })
  const draft = mkdtempSync(join(parent, '.manifests-'))
  cpSync(examples, draft, { recursive: true })
  const { chain, key } = selfSign(['hello.localhost'], 365, Date.now())
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name: 'hello-cert', namespace: 'default' },
    stringData: { 'tls.crt': chain, 'tls.key': key },
  }
  writeFileSync(join(draft, 'hello-cert.yaml'), stringify(secret), { mode: 0o600 })
  renameSync(draft, directory)
}

/** Says where the example app listens now, as Kubernetes does for its Services. Rewritten at every start. */
export function writeEndpoints(directory: string, ports: readonly number[]): void {
  const slices = ports.map((port, index) =>
    stringify({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: `hello-${index + 1}`,
        namespace: 'default',
        labels: { 'kubernetes.io/service-name': 'hello' },
      },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
      ports: [{ name: 'http', port }],
    }),
  )
  const text = `# Written at every start, with the ports of the example apps; what you change here is lost.\n${slices.join('---\n')}`
  writeFileSync(join(directory, 'hello-endpoints.yaml'), text)
}
