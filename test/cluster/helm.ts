// The program helm, built once from its Go module into the same cache as the harness's own programs.

import { join } from 'node:path'
import { cached } from './binaries.ts'
import { run, say } from './command.ts'

const version = 'v3.22.0'
/** The Kubernetes whose libraries this version is built with: what `helm template` takes the cluster to be. */
const kubernetes = { k8sVersionMajor: '1', k8sVersionMinor: '37' }

/** The path of helm, built now (two minutes) if it never was. Rejects with the compiler's complaint. */
export async function helm(): Promise<string> {
  const stamps = [
    `-X helm.sh/helm/v3/internal/version.version=${version}`,
    ...Object.entries(kubernetes).flatMap(([name, value]) =>
      ['chartutil', 'lint/rules'].map(place => `-X helm.sh/helm/v3/pkg/${place}.${name}=${value}`),
    ),
  ]
  const flags = ['-trimpath', '-ldflags', ['-s', '-w', ...stamps].join(' ')]
  const entry = await cached('helm', [version, ...flags, process.arch], async target => {
    say('building helm: about two minutes the first time')
    const install = ['-n', '10', 'go', 'install', ...flags, `helm.sh/helm/v3/cmd/helm@${version}`]
    await run('nice', install, { env: { CGO_ENABLED: '0', GOBIN: target } })
  })
  return join(entry, 'helm')
}
