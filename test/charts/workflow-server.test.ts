// charts/workflow against a real API server: it takes every object, Secrets are made once and stay through upgrades and
// rollbacks, and what cannot be made again is left behind by a removal.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { run } from '../cluster/command.ts'
import { ControlPlane } from '../cluster/control-plane.ts'
import { helm } from '../cluster/helm.ts'
import type { Values } from './chart.ts'
import { workflowChart } from './workflow-chart.ts'

const plane = new ControlPlane()

beforeAll(async () => {
  await helm()
  await plane.start()
}, 900_000)
afterAll(() => plane.stop())

/** Nothing waits for pods: there are none here. */
async function release(args: readonly string[], values?: Values): Promise<string> {
  const env = { KUBECONFIG: plane.kubeconfig(), HELM_CACHE_HOME: join(plane.directory, 'helm') }
  const given = values === undefined ? [] : ['--values', '-']
  const input = values === undefined ? undefined : JSON.stringify(values)
  return run(await helm(), [...args, '--namespace', 'deis', ...given], { env, input, timeout: 60_000 })
}

interface Listed {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> }
    readonly data?: Readonly<Record<string, string>>
    readonly spec?: { readonly template?: { readonly metadata: { readonly annotations?: object } } }
  }[]
}
const list = (path: string) => plane.request<Listed>('GET', path)
const secrets = async () => {
  const { items } = await list('/api/v1/namespaces/deis/secrets')
  const own = items.filter(({ metadata }) => metadata.annotations?.['helm.sh/resource-policy'] === 'keep')
  return Object.fromEntries(own.map(({ metadata, data }) => [metadata.name, data]))
}
const checksums = async () =>
  (await list('/apis/apps/v1/namespaces/deis/deployments')).items.map(({ metadata, spec }) => [
    metadata.name,
    spec?.template?.metadata.annotations,
  ])

test('installed, upgraded, rolled back and removed', async () => {
  const notes = await release(['install', 'deis', workflowChart, '--create-namespace'], {
    global: { platform_domain: 'apps.example.com' },
    images: {
      workflow: { repository: 'registry.example.com/deis-workflow' },
      builder: { repository: 'registry.example.com/deis-builder' },
    },
  })
  expect(notes).toContain('deis register http://deis.apps.example.com')
  expect(notes).not.toContain('WARNING')
  const made = await secrets()
  expect(Object.keys(made).sort()).toEqual([
    'builder-key-auth',
    'builder-ssh-private-keys',
    'database-creds',
    'registry-token-key',
  ])
  const before = await checksums()

  const planes = parse(readFileSync(join(workflowChart, 'topologies/planes.yaml'), 'utf8')) as Values
  await release(['upgrade', 'deis', workflowChart], { ...planes, global: { platform_domain: 'apps.example.com' } })
  expect(await secrets()).toEqual(made)
  // Nothing restarts for a Secret that is as it was.
  expect(await checksums()).toEqual(before)

  await release(['rollback', 'deis'])
  expect(await secrets()).toEqual(made)
  const { items: claims } = await list('/api/v1/namespaces/deis/persistentvolumeclaims')
  expect(claims).toHaveLength(5)

  await release(['uninstall', 'deis'])
  expect(await secrets()).toEqual(made)
  expect((await list('/api/v1/namespaces/deis/persistentvolumeclaims')).items).toHaveLength(5)
  expect((await list('/apis/apps/v1/namespaces/deis/deployments')).items).toEqual([])

  // Another one of the same name takes over what was left.
  // Nobody finishes namespaces here, so that of builds is another one.
  await release(['install', 'deis', workflowChart, '--set', 'builder.namespace.name=builds-again'])
  expect(await secrets()).toEqual(made)
  await release(['uninstall', 'deis'])
}, 120_000)

test('an S3 API and a database elsewhere', async () => {
  await release(['install', 'deis', workflowChart, '--set', 'builder.namespace.name=builds-elsewhere'], {
    storage: { type: 's3', s3: { accessKey: 'a', secretKey: 'b' } },
    database: { location: 'off-cluster', offCluster: { existingSecret: 'pg', caSecret: 'pg-ca' } },
    registry: { access: 'open' },
    registryProxy: { hostNetwork: true },
  })
  await release(['uninstall', 'deis'])
})
