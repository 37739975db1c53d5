// Renders charts/router as helm does, into plain objects.

import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { configOf } from '#kit/command-line.ts'
import { version } from '#kit/version.ts'
import { parseConfig, type RouterConfig } from '#router/config.ts'
import { run } from '../cluster/command.ts'
import type { ControlPlane } from '../cluster/control-plane.ts'
import { helm } from '../cluster/helm.ts'

export const chartDirectory = join(import.meta.dirname, '../../charts/router')

/** A rendered object, its fields as they come. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  // biome-ignore lint/suspicious/noExplicitAny: whatever the template says; the tests say what it should
  readonly [field: string]: any
}

export type Values = Readonly<Record<string, unknown>>

/** Runs helm with `values` as its stdin; rejects with what it complained of. */
export async function helmCommand(args: readonly string[], values: Values = {}): Promise<string> {
  return run(await helm(), [...args, '--values', '-'], { input: JSON.stringify(values), timeout: 60_000 })
}

/** The release `edge` in the namespace `deis` of a cluster, with these values; nothing waits for pods. */
export function release(plane: ControlPlane, verb: 'install' | 'upgrade', values: Values): Promise<string> {
  return helmIn(plane, [verb, 'edge', chartDirectory, '--values', '-'], JSON.stringify(values))
}

export function uninstall(plane: ControlPlane): Promise<string> {
  return helmIn(plane, ['uninstall', 'edge'])
}

async function helmIn(plane: ControlPlane, args: readonly string[], input?: string): Promise<string> {
  const env = { KUBECONFIG: plane.kubeconfig(), HELM_CACHE_HOME: join(plane.directory, 'helm') }
  return run(await helm(), [...args, '--namespace', 'deis'], { env, input, timeout: 60_000 })
}

/** All objects of a release `edge` in the namespace `deis`. `args` are further arguments of helm. */
export async function render(values: Values = {}, args: readonly string[] = []): Promise<Rendering> {
  const text = await helmCommand(['template', 'edge', chartDirectory, '--namespace', 'deis', ...args], values)
  const documents = parseAllDocuments(text)
  return new Rendering(documents.map(document => document.toJS() as Manifest | null).filter(object => object !== null))
}

/** What helm tells the person who installs it. */
export async function notes(values: Values = {}, chart = chartDirectory): Promise<string> {
  // Helm shows the notes only of what it installs in a cluster; a template of ours shows them without one.
  const copy = await mkdtemp(join(tmpdir(), 'deis-chart-'))
  try {
    // The chart `workflow` has a link to the router's.
    await cp(chart, copy, { recursive: true, dereference: true })
    const object = 'apiVersion: v1\nkind: Notes\nmetadata: {name: notes}\ntext: '
    const text = '{{ include (print $.Template.BasePath "/NOTES.txt") . | quote }}\n'
    await writeFile(join(copy, 'templates/notes.yaml'), object + text)
    const rendered = await helmCommand(['template', 'edge', copy, '--namespace', 'deis'], values)
    const documents = parseAllDocuments(rendered).map(document => document.toJS() as Manifest | null)
    return documents.find(object => object?.kind === 'Notes')!.text
  } finally {
    await rm(copy, { recursive: true })
  }
}

export class Rendering {
  readonly objects: readonly Manifest[]

  constructor(objects: readonly Manifest[]) {
    this.objects = objects
  }

  /** `Kind namespace/name` of all, sorted. */
  names(): readonly string[] {
    return this.objects
      .map(({ kind, metadata }) => `${kind} ${[metadata.namespace, metadata.name].filter(Boolean).join('/')}`)
      .sort()
  }

  all(kind: string): readonly Manifest[] {
    return this.objects.filter(object => object.kind === kind)
  }

  /** The one object of this kind, or of this kind and name. Throws if there is none or another. */
  one(kind: string, name?: string): Manifest {
    const found = this.all(kind).filter(({ metadata }) => name === undefined || metadata.name === name)
    const [object] = found
    if (object === undefined || found.length > 1) throw new Error(`${found.length} objects ${kind} ${name ?? ''}`)
    return object
  }

  /** The workload `deis-router`. */
  workload(): Manifest {
    return this.objects.find(({ kind }) => kind === 'Deployment' || kind === 'DaemonSet')!
  }

  /** Variables of the router's container; those that come from the pod's own fields are left out. */
  environment(): Readonly<Record<string, string>> {
    const [container] = this.workload().spec.template.spec.containers
    const variables = container.env as readonly { readonly name: string; readonly value?: string }[]
    return Object.fromEntries(variables.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])))
  }

  /** What the router makes of these variables. Throws if it takes one of them for a mistake. */
  config(variables = this.environment()): RouterConfig {
    const pod = { KUBERNETES_SERVICE_HOST: '10.0.0.1', POD_NAMESPACE: 'deis', POD_NAME: 'deis-router-1' }
    return configOf(parseConfig([], { ...pod, ...variables }, version))
  }
}
