// The objects of the fake API server (fake.ts) and what became of them: versions, history, selectors. No sockets.

import { KubeError } from './errors.ts'
import type { KubeObject, ObjectMeta } from './types.ts'

/** An object of any kind, as its JSON. */
export type FakeObject = KubeObject & { readonly [field: string]: unknown }

/** One collection: `apiVersion` and plural, and a namespace or all of them. */
export interface Collection {
  readonly apiVersion: string
  readonly plural: string
  readonly namespace?: string
}

export interface Selectors {
  /** `a=b,c!=d,e,!f`. */
  readonly labels: string | null
  /** `metadata.name=…`, `metadata.namespace=…`, the `type` of a Secret, the `involvedObject.name` of an Event
   *  and the `spec.nodeName` of a Pod. */
  readonly fields: string | null
}

export interface FakeEvent {
  readonly version: number
  readonly collection: Collection
  /** Null before it was there, and after. */
  readonly before: FakeObject | null
  readonly after: FakeObject | null
}

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED'

/** Beyond this the oldest events are forgotten, as if compacted. */
const historyLimit = 50_000

export class FakeStore {
  #version = 1
  /** Watches from before this version are refused. */
  #oldest = 1
  readonly #objects = new Map<string, Map<string, FakeObject>>()
  #history: FakeEvent[] = []
  readonly #listeners = new Set<(event: FakeEvent) => void>()

  get version(): number {
    return this.#version
  }

  get(collection: Collection, name: string): FakeObject {
    const object = this.#objectsOf(collection).get(`${collection.namespace ?? ''}/${name}`)
    if (object === undefined) throw refuse(404, 'NotFound', `${collection.plural} ${JSON.stringify(name)} not found`)
    return object
  }

  /** In the order of namespace and name. */
  list(collection: Collection, selectors: Selectors = { labels: null, fields: null }): FakeObject[] {
    return [...this.#objectsOf(collection).entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => object)
      .filter(object => inCollection(object, collection) && matches(object, selectors))
  }

  create(collection: Collection, input: FakeObject): FakeObject {
    const { generateName, ...metadata } = input.metadata as ObjectMeta & { readonly generateName?: string }
    const name = metadata.name ?? (generateName === undefined ? undefined : `${generateName}${this.#version + 1}`)
    if (!name) throw refuse(422, 'Invalid', 'metadata.name is missing')
    const key = `${collection.namespace ?? ''}/${name}`
    if (this.#objectsOf(collection).has(key)) {
      throw refuse(409, 'AlreadyExists', `${collection.plural} ${JSON.stringify(name)} already exists`)
    }
    return this.#write(collection, null, {
      ...input,
      metadata: {
        ...metadata,
        name,
        uid: crypto.randomUUID(),
        creationTimestamp: `${new Date().toISOString().slice(0, 19)}Z`,
        ...(collection.namespace === undefined ? {} : { namespace: collection.namespace }),
      },
    })
  }

  /** Replaces it; a `resourceVersion` that is not the current one conflicts. */
  update(collection: Collection, input: FakeObject): FakeObject {
    const before = this.get(collection, input.metadata.name)
    const { resourceVersion } = input.metadata
    if (resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion) {
      throw refuse(409, 'Conflict', 'the object has been modified')
    }
    return this.#write(collection, before, {
      ...input,
      metadata: {
        ...input.metadata,
        ...immutable(before.metadata),
      },
    })
  }

  /** JSON merge patch, RFC 7396. A patch that changes nothing makes no new version. */
  patch(collection: Collection, name: string, patch: unknown): FakeObject {
    const before = this.get(collection, name)
    const merged = merge(before, patch) as FakeObject
    const after = { ...merged, metadata: { ...merged.metadata, ...immutable(before.metadata) } }
    return JSON.stringify(after) === JSON.stringify(before) ? before : this.#write(collection, before, after)
  }

  delete(collection: Collection, name: string): FakeObject {
    const before = this.get(collection, name)
    this.#version += 1
    this.#objectsOf(collection).delete(`${before.metadata.namespace ?? ''}/${name}`)
    const last = withVersion(before, this.#version)
    this.#record({ version: this.#version, collection, before: last, after: null })
    return last
  }

  /** Events after `version`; null when they are forgotten. */
  since(version: number): FakeEvent[] | null {
    return version < this.#oldest ? null : this.#history.filter(event => event.version > version)
  }

  /** Forgets all history. The version moves on, so that every version handed out until now is too old. */
  compact(): void {
    this.#version += 1
    this.#history = []
    this.#oldest = this.#version
  }

  /** Moves the version on without a change here, as other collections of a real server do all the time. */
  advance(): void {
    this.#version += 1
  }

  subscribe(listener: (event: FakeEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #objectsOf(collection: Collection): Map<string, FakeObject> {
    const id = `${collection.apiVersion}/${collection.plural}`
    const objects = this.#objects.get(id) ?? new Map<string, FakeObject>()
    this.#objects.set(id, objects)
    return objects
  }

  #write(collection: Collection, before: FakeObject | null, after: FakeObject): FakeObject {
    this.#version += 1
    const object = withVersion(after, this.#version)
    this.#objectsOf(collection).set(`${collection.namespace ?? ''}/${object.metadata.name}`, object)
    this.#record({ version: this.#version, collection, before, after: object })
    return object
  }

  #record(event: FakeEvent): void {
    this.#history.push(event)
    // In slices, so that a long run does not shift the array at each event.
    if (this.#history.length > historyLimit * 1.25) {
      this.#history = this.#history.slice(-historyLimit)
      this.#oldest = this.#history[0]?.version ?? this.#version
    }
    for (const listener of this.#listeners) listener(event)
  }
}

/** What a watch with these selectors is told of an event; null for nothing. Leaving the selection is a DELETED. */
export function eventFor(
  event: FakeEvent,
  collection: Collection,
  selectors: Selectors,
): { readonly type: EventType; readonly object: FakeObject } | null {
  if (event.collection.apiVersion !== collection.apiVersion || event.collection.plural !== collection.plural)
    return null
  const seen = (object: FakeObject | null): boolean =>
    object !== null && inCollection(object, collection) && matches(object, selectors)
  const before = seen(event.before)
  const after = seen(event.after)
  if (event.after !== null && after) return { type: before ? 'MODIFIED' : 'ADDED', object: event.after }
  if (event.before !== null && before) return { type: 'DELETED', object: withVersion(event.before, event.version) }
  return null
}

export function refuse(status: number, reason: string, message: string): KubeError {
  return new KubeError(status, reason, message)
}

function immutable(metadata: ObjectMeta): Partial<ObjectMeta> {
  const { name, namespace, uid, creationTimestamp } = metadata
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
  }
}

function withVersion(object: FakeObject, version: number): FakeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } }
}

function inCollection(object: FakeObject, collection: Collection): boolean {
  return collection.namespace === undefined || object.metadata.namespace === collection.namespace
}

function matches(object: FakeObject, selectors: Selectors): boolean {
  return (
    requirements(selectors.labels).every(one => labelMatches(object, one)) &&
    requirements(selectors.fields).every(one => fieldMatches(object, one))
  )
}

function requirements(selector: string | null): string[] {
  return selector === null ? [] : selector.split(',').filter(one => one !== '')
}

function labelMatches(object: FakeObject, requirement: string): boolean {
  const labels = object.metadata.labels ?? {}
  const parts = /^([^=!]+)(==?|!=)(.*)$/.exec(requirement)
  if (parts === null) {
    return requirement.startsWith('!')
      ? !Object.hasOwn(labels, requirement.slice(1))
      : Object.hasOwn(labels, requirement)
  }
  const [, key = '', operator, value] = parts
  return (labels[key] === value) === (operator !== '!=')
}

const fields = {
  'metadata.name': object => object.metadata.name,
  'metadata.namespace': object => object.metadata.namespace,
  type: object => object.type,
  'involvedObject.name': object => (object.involvedObject as { readonly name?: string } | undefined)?.name,
  'spec.nodeName': object => (object.spec as { readonly nodeName?: string } | undefined)?.nodeName,
} as const satisfies Record<string, (object: FakeObject) => unknown>

function fieldMatches(object: FakeObject, requirement: string): boolean {
  const parts = /^([^=!]+)(==?|!=)(.*)$/.exec(requirement)
  const [, field = '', operator, value] = parts ?? []
  if (!(field in fields))
    throw refuse(400, 'BadRequest', `field selector ${JSON.stringify(requirement)} is not supported`)
  const actual = fields[field as keyof typeof fields](object)
  return (actual === value) === (operator !== '!=')
}

function merge(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = merge(result[key], value)
  }
  return result
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
