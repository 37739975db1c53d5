// Renders charts/workflow as helm does, and reads what comes of it as the services will.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { type BuilderConfig, parseConfig as parseBuilder } from '#builder/config.ts'
import { type ControllerConfig, parseConfig as parseController } from '#controller/config.ts'
import { configOf } from '#kit/command-line.ts'
import { version } from '#kit/version.ts'
import { type CollectorConfig, parseConfig as parseCollector } from '#logger/collector/config.ts'
import { type LoggerConfig, parseConfig as parseLogger } from '#logger/config.ts'
import { parseConfig as parseRegistry, type RegistryConfig } from '#registry/config.ts'
import { type ProxyConfig, parseConfig as parseProxy } from '#registry/proxy/config.ts'
import { helmCommand, type Manifest, Rendering, type Values } from './chart.ts'

export const workflowChart = join(import.meta.dirname, '../../charts/workflow')

/** All objects of a release `deis` in the namespace `deis`. */
export async function renderWorkflow(values: Values = {}): Promise<Rendering> {
  const text = await helmCommand(['template', 'deis', workflowChart, '--namespace', 'deis'], values)
  const documents = parseAllDocuments(text)
  return new Rendering(documents.map(document => document.toJS() as Manifest | null).filter(object => object !== null))
}

/** The workload of this name. */
export function workload(rendering: Rendering, name: string): Manifest {
  const kinds = ['Deployment', 'DaemonSet', 'StatefulSet']
  const found = rendering.objects.find(({ kind, metadata }) => kinds.includes(kind) && metadata.name === name)
  if (found === undefined) throw new Error(`there is no workload ${name}`)
  return found
}

/** Of every object that makes pods, by name. */
export function podSpecs(rendering: Rendering): ReadonlyMap<string, Manifest> {
  const specs = rendering.objects.flatMap(object => {
    const spec = object.kind === 'Pod' ? object.spec : (object.spec?.jobTemplate?.spec ?? object.spec)?.template?.spec
    return spec === undefined ? [] : [[object.metadata.name, spec] as const]
  })
  return new Map(specs)
}

/** Variables of a workload's container: those with a value, and of Secrets what the test says that is in them. */
export function environment(
  rendering: Rendering,
  name: string,
  secrets: Readonly<Record<string, string>> = {},
): Record<string, string> {
  interface Variable {
    readonly name: string
    readonly value?: string
    readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string; readonly key: string } }
  }
  const [container] = workload(rendering, name).spec.template.spec.containers
  const variables = (container.env ?? []) as readonly Variable[]
  return Object.fromEntries(
    variables.flatMap(({ name: variable, value, valueFrom }) => {
      const ref = valueFrom?.secretKeyRef
      const text = ref === undefined ? value : secrets[`${ref.name}/${ref.key}`]
      return text === undefined ? [] : [[variable, text]]
    }),
  )
}

const pod = { KUBERNETES_SERVICE_HOST: '10.0.0.1', POD_NAMESPACE: 'deis' }

/** What the controller makes of its variables. Throws if it takes one of them for a mistake. */
export function controllerConfig(rendering: Rendering, secrets = {}): ControllerConfig {
  const known = {
    'builder-key-auth/builder-key': 'key',
    'database-creds/user': 'deis',
    'database-creds/password': 'secret',
    ...secrets,
  }
  const env = { ...pod, ...environment(rendering, 'deis-controller', known) }
  return configOf(parseController([], env, version))
}

/** Files of Secrets are not there: what they would say is given. */
export function builderConfig(rendering: Rendering, more: Readonly<Record<string, string>> = {}): BuilderConfig {
  const env = { ...pod, ...environment(rendering, 'deis-builder'), ...more }
  // No file is read when the key itself is given.
  return configOf(parseBuilder([], { DEIS_BUILDER_KEY: 'key', ...env }, version))
}

export function loggerConfig(rendering: Rendering): LoggerConfig {
  return configOf(parseLogger([], environment(rendering, 'deis-logger'), version))
}

export function collectorConfig(rendering: Rendering): CollectorConfig {
  const env = { ...pod, NODE_NAME: 'node1', ...environment(rendering, 'deis-collector') }
  return configOf(parseCollector([], env, version))
}

export function proxyConfig(rendering: Rendering): ProxyConfig {
  return configOf(parseProxy([], environment(rendering, 'deis-registry-proxy'), version))
}

/** With the certificate of the rendering, which the registry reads from a file. */
export function registryConfig(rendering: Rendering, more: Readonly<Record<string, string>> = {}): RegistryConfig {
  const directory = mkdtempSync(join(tmpdir(), 'deis-chart-'))
  try {
    const env = { ...environment(rendering, 'deis-registry'), ...more }
    if (env.DEIS_REGISTRY_TOKEN_KEY !== undefined) {
      const { data } = rendering.one('Secret', 'registry-token-key')
      env.DEIS_REGISTRY_TOKEN_KEY = join(directory, 'tls.crt')
      writeFileSync(env.DEIS_REGISTRY_TOKEN_KEY, Buffer.from(data['tls.crt'], 'base64'))
    }
    return configOf(parseRegistry([], env, version))
  } finally {
    rmSync(directory, { recursive: true })
  }
}
