// One manifest as text → the objects in it that a router reads. Pure. It only finds out which objects there are; what
// they say is judged where objects of the API server are judged too. Error texts never quote the file: it may hold
// keys of certificates.

import { LineCounter, parseAllDocuments } from 'yaml'
import type { Deployment, EndpointSlice, Secret, Service } from '#kube/types.ts'

export type ManifestObject =
  | { readonly kind: 'Service'; readonly object: Service }
  | { readonly kind: 'EndpointSlice'; readonly object: EndpointSlice }
  | { readonly kind: 'Secret'; readonly object: Secret }
  | { readonly kind: 'Deployment'; readonly object: Deployment }

interface ManifestFault {
  /** 1 for the first line of the file. */
  readonly line: number
  readonly reason: string
}

export type ManifestFile =
  /** Nothing of it can be trusted. */
  | { readonly kind: 'unreadable'; readonly fault: ManifestFault }
  /** `faults` tells of documents that are no objects. */
  | { readonly kind: 'objects'; readonly objects: readonly ManifestObject[]; readonly faults: readonly ManifestFault[] }

/**
 * Reads all documents of a manifest. Objects of kinds that a router does not read are left out in silence; those
 * without a namespace are in `default`, as for kubectl.
 */
export function parseManifest(text: string, format: 'yaml' | 'json'): ManifestFile {
  try {
    const objects: ManifestObject[] = []
    const faults: ManifestFault[] = []
    for (const { line, value } of format === 'json' ? parseJson(text) : parseYaml(text))
      for (const item of itemsOf(value)) {
        const read = readObject(item)
        if (read.kind === 'object') objects.push(read.object)
        else if (read.kind === 'fault') faults.push({ line, reason: read.reason })
      }
    return { kind: 'objects', objects, faults }
  } catch (error) {
    if (error instanceof Unreadable) return { kind: 'unreadable', fault: { line: error.line, reason: error.message } }
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
}

type ObjectReading =
  | { readonly kind: 'object'; readonly object: ManifestObject }
  | { readonly kind: 'other' }
  | { readonly kind: 'fault'; readonly reason: string }

function readObject(raw: unknown): ObjectReading {
  if (!isRecord(raw)) return { kind: 'fault', reason: 'this is no Kubernetes object: it is no mapping' }
  const { kind, apiVersion, metadata } = raw
  if (typeof kind !== 'string' || kind === '')
    return { kind: 'fault', reason: 'this is no Kubernetes object: it has no kind' }
  if (kind.endsWith('List')) return { kind: 'fault', reason: 'this List has no items, or is within a List' }
  // Others use these kinds too, such as Knative its Service. Items of a List may have no apiVersion.
  if (!isOurs(kind) || (apiVersion !== undefined && apiVersion !== versions[kind])) return { kind: 'other' }
  if (!isRecord(metadata) || typeof metadata.name !== 'string' || metadata.name === '')
    return { kind: 'fault', reason: `this ${kind} has no metadata.name` }
  const namespace = metadata.namespace === undefined || metadata.namespace === '' ? 'default' : metadata.namespace
  // Only its kind and name are known; whoever reads the rest looks at its shape first.
  const object = { ...raw, metadata: { ...metadata, namespace } } as unknown
  return { kind: 'object', object: { kind, object } as ManifestObject }
}

function isOurs(kind: string): kind is ManifestObject['kind'] {
  return Object.hasOwn(versions, kind)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
