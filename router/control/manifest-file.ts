// One manifest as text → the objects in it that a router reads. Pure. It only finds out which objects there are; what
// they say is judged where objects of the API server are judged too. Error texts never quote the file: it may hold
// keys of certificates.

import { LineCounter, parseAllDocuments } from 'yaml'
import type { DaemonSet, Deployment, EndpointSlice, Ingress, IngressClass, Secret, Service } from '#kube/types.ts'
import type { Problem } from '../model/problem.ts'
import { clusterKinds } from './object-shape.ts'
import { pairKeys, unpacked } from './secret-text.ts'

export type ManifestObject =
  | { readonly kind: 'Service'; readonly object: Service }
  | { readonly kind: 'EndpointSlice'; readonly object: EndpointSlice }
  | { readonly kind: 'Secret'; readonly object: Secret }
  | { readonly kind: 'Deployment'; readonly object: Deployment }
  | { readonly kind: 'DaemonSet'; readonly object: DaemonSet }
  | { readonly kind: 'Ingress'; readonly object: Ingress }
  | { readonly kind: 'IngressClass'; readonly object: IngressClass }

interface ManifestFault {
  /** 1 for the first line of the file. */
  readonly line: number
  readonly reason: string
  /** A warning when it may be meant as it is. */
  readonly severity: Problem['severity']
}

export type ManifestFile =
  /** Nothing of it can be trusted. */
  | { readonly kind: 'unreadable'; readonly fault: ManifestFault }
  /** `faults` tells of documents that are no objects. */
  | { readonly kind: 'objects'; readonly objects: readonly ManifestObject[]; readonly faults: readonly ManifestFault[] }

/**
 * Reads all documents of a manifest. Objects of kinds that a router does not read are left out in silence, unless there
 * is no such kind in the API group that they name; those without a namespace are in `default`, as for kubectl.
 */
export function parseManifest(text: string, format: 'yaml' | 'json'): ManifestFile {
  try {
    const objects: ManifestObject[] = []
    const faults: ManifestFault[] = []
    for (const { line, value } of format === 'json' ? parseJson(text) : parseYaml(text))
      for (const item of itemsOf(value)) {
        const read = readObject(item)
        if (read.kind === 'object') objects.push(read.object)
        else if (read.kind === 'fault') faults.push({ line, reason: read.reason, severity: read.severity })
      }
    return { kind: 'objects', objects, faults }
  } catch (error) {
    if (error instanceof Unreadable)
      return { kind: 'unreadable', fault: { line: error.line, reason: error.message, severity: 'error' } }
    throw error
  }
}

/** `KIND/NAMESPACE/NAME` */
export function identityOf({ kind, object }: ManifestObject): string {
  return `${kind}/${object.metadata.namespace}/${object.metadata.name}`
}

interface Document {
  readonly line: number
  readonly value: unknown
}

class Unreadable extends Error {
  readonly line: number

  constructor(line: number, reason: string) {
    super(reason)
    this.line = line
  }
}

function parseYaml(text: string): readonly Document[] {
  const lines = new LineCounter()
  const documents: Document[] = []
  for (const document of parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, merge: true })) {
    const error = document.errors[0]
    // The code only, MISSING_CHAR → "missing char": the parser's own sentences can quote the file.
    if (error !== undefined)
      throw new Unreadable(
        lines.linePos(error.pos[0]).line,
        `it is not YAML: ${error.code.toLowerCase().replaceAll('_', ' ')}`,
      )
    const line = Math.max(1, lines.linePos(document.contents?.range?.[0] ?? 0).line)
    try {
      const value: unknown = document.toJS({ maxAliasCount: 100 })
      // Through JSON, since YAML can say more than an object of the API can hold: dates, bytes, circles.
      if (value !== null && value !== undefined) documents.push({ line, value: JSON.parse(JSON.stringify(value)) })
    } catch {
      throw new Unreadable(line, 'it is not YAML: bad alias')
    }
  }
  return documents
}

function parseJson(text: string): readonly Document[] {
  try {
    return [{ line: 1, value: JSON.parse(text) }]
  } catch (error) {
    const position = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined
    const before = position === undefined ? text : text.slice(0, Number(position))
    throw new Unreadable(before.split('\n').length, 'it is not JSON')
  }
}

/** The objects of a `List` (or of a `ServiceList` and its like, whose items need not say their kind), or the one object. */
function itemsOf(value: unknown): readonly unknown[] {
  if (!isRecord(value)) return [value]
  const { kind, items } = value
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items)) return [value]
  const kindOfItems = kind.slice(0, -'List'.length)
  return kindOfItems === ''
    ? items
    : items.map(item => (isRecord(item) && item.kind === undefined ? { ...item, kind: kindOfItems } : item))
}

const versions: Readonly<Record<ManifestObject['kind'], string>> = {
  Service: 'v1',
  EndpointSlice: 'discovery.k8s.io/v1',
  Secret: 'v1',
  Deployment: 'apps/v1',
  DaemonSet: 'apps/v1',
  Ingress: 'networking.k8s.io/v1',
  IngressClass: 'networking.k8s.io/v1',
}

/** All kinds of the API groups that ours are in: another one there is misspelt. */
const kindsOf: Readonly<Record<string, readonly string[]>> = {
  v1: [
    'Binding',
    'ComponentStatus',
    'ConfigMap',
    'Endpoints',
    'Event',
    'LimitRange',
    'Namespace',
    'Node',
    'PersistentVolume',
    'PersistentVolumeClaim',
    'Pod',
    'PodTemplate',
    'ReplicationController',
    'ResourceQuota',
    'Secret',
    'Service',
    'ServiceAccount',
  ],
  'apps/v1': ['ControllerRevision', 'DaemonSet', 'Deployment', 'ReplicaSet', 'StatefulSet'],
  'discovery.k8s.io/v1': ['EndpointSlice'],
  'networking.k8s.io/v1': ['IPAddress', 'Ingress', 'IngressClass', 'NetworkPolicy', 'ServiceCIDR'],
}

type ObjectReading =
  | { readonly kind: 'object'; readonly object: ManifestObject }
  | { readonly kind: 'other' }
  | { readonly kind: 'fault'; readonly reason: string; readonly severity: Problem['severity'] }

function fault(reason: string, severity: Problem['severity'] = 'error'): ObjectReading {
  return { kind: 'fault', reason, severity }
}

function readObject(raw: unknown): ObjectReading {
  if (!isRecord(raw)) return fault('this is no Kubernetes object: it is no mapping')
  const { kind, apiVersion, metadata } = raw
  if (typeof kind !== 'string' || kind === '') return fault('this is no Kubernetes object: it has no kind')
  if (kind.endsWith('List')) return fault('this List has no items, or is within a List')
  // Others use these kinds too, such as Knative its Service. Items of a List may have no apiVersion.
  if (!isOurs(kind) || (apiVersion !== undefined && apiVersion !== versions[kind])) return readOther(kind, apiVersion)
  if (!isRecord(metadata) || typeof metadata.name !== 'string' || metadata.name === '')
    return fault(`this ${kind} has no metadata.name`)
  const given = metadata.namespace === undefined || metadata.namespace === '' ? 'default' : metadata.namespace
  const namespace = clusterKinds.has(kind) ? '' : given
  // Only its kind and name are known; whoever reads the rest looks at its shape first.
  const named = { ...raw, metadata: { ...metadata, namespace } }
  const object = (kind === 'Secret' ? unpacked(named, pairKeys) : named) as unknown
  return { kind: 'object', object: { kind, object } as ManifestObject }
}

/** What is not ours is silent, unless it looks as if it should be. */
function readOther(kind: string, apiVersion: unknown): ObjectReading {
  if (typeof apiVersion !== 'string') return { kind: 'other' }
  const kinds = Object.hasOwn(kindsOf, apiVersion) ? kindsOf[apiVersion] : undefined
  const shown = JSON.stringify(kind.slice(0, 63))
  if (kinds !== undefined && !kinds.includes(kind))
    return fault(`there is no kind ${shown} in ${apiVersion}`, 'warning')
  // Versions that the API server no longer serves, whose objects look much like ours.
  const isRetired =
    kind.startsWith('Ingress') && /^(extensions|networking\.k8s\.io)\/v1(alpha|beta)\d+$/.test(apiVersion)
  return isRetired ? fault(`this ${kind} is not of networking.k8s.io/v1`, 'warning') : { kind: 'other' }
}

function isOurs(kind: string): kind is ManifestObject['kind'] {
  return Object.hasOwn(versions, kind)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
