// Manifests and indexes, of the OCI and of Docker's schema 2, read as far as the registry must understand them: what they
// name, and what names them. Everything else in them is the clients' business and kept as it came.

import { z } from 'zod'
import { RegistryError } from '../errors.ts'
import { type Digest, parseDigest } from './digest.ts'

export const mediaTypes = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const

const kinds: Readonly<Record<string, 'image' | 'index'>> = {
  [mediaTypes.ociManifest]: 'image',
  [mediaTypes.dockerManifest]: 'image',
  [mediaTypes.ociIndex]: 'index',
  [mediaTypes.dockerList]: 'index',
}

/** Octets. */
export const maxManifestSize = 4 * 1024 * 1024

/** What one manifest may name: each costs a look into the store. */
const maxReferences = 4096

export interface Manifest {
  readonly mediaType: string
  /** What kind of thing it is, for the list of referrers. */
  readonly artifactType: string | null
  readonly annotations: Readonly<Record<string, string>> | null
  readonly subject: Digest | null
  /** Must be there. */
  readonly blobs: readonly Digest[]
  /** Layers that are somewhere else, and perhaps here as well. */
  readonly foreignBlobs: readonly Digest[]
  /** Entries of an index: manifests, or blobs of types that nobody knows. */
  readonly children: readonly Digest[]
}

const digest = z.string().transform((text, context) => {
  const parsed = parseDigest(text)
  if (parsed === null) context.addIssue({ code: 'custom', message: 'must be a digest of sha256 or sha512' })
  return parsed ?? z.NEVER
})

const descriptor = z.object({
  mediaType: z.string().min(1).max(255),
  digest,
  size: z.int().min(0),
})

const annotations = z.record(z.string(), z.string()).nullish()

const common = {
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  artifactType: z.string().max(255).optional(),
  subject: descriptor.nullish(),
  annotations,
}

const image = z.object({ ...common, config: descriptor, layers: z.array(descriptor).max(maxReferences) })
const index = z.object({ ...common, manifests: z.array(descriptor).max(maxReferences) })

function invalid(detail: string, cause?: unknown): RegistryError {
  return new RegistryError('MANIFEST_INVALID', { detail, cause })
}

/**
 * Throws MANIFEST_INVALID. `type` is what the client says it is, null when it does not say; a manifest that names no type
 * itself and comes without one is known by what it holds.
 */
export function readManifest(octets: Uint8Array, type: string | null): Manifest {
  const value = parseJson(octets)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('it is no JSON object')
  if ('schemaVersion' in value && value.schemaVersion === 1)
    throw invalid('manifests of schema 1 are not taken: push with a client of this decade')
  const own = 'mediaType' in value && typeof value.mediaType === 'string' ? value.mediaType : null
  // The same octets must never be read in two ways (distribution specification, "Pushing manifests").
  if ('manifests' in value && ('layers' in value || 'config' in value))
    throw invalid('it has the fields of an image and of an index')
  const shown = 'manifests' in value ? mediaTypes.ociIndex : mediaTypes.ociManifest
  const mediaType = own ?? type ?? shown
  if (type !== null && type !== mediaType)
    throw invalid(`its mediaType is ${JSON.stringify(own)}, and the Content-Type ${JSON.stringify(type)}`)
  const kind = Object.hasOwn(kinds, mediaType) ? kinds[mediaType] : undefined
  if (kind === undefined) throw invalid(`the media type ${JSON.stringify(mediaType.slice(0, 255))} is not taken`)
  // Else nobody could tell later what it was.
  if (own === null && mediaType !== shown) throw invalid(`without a mediaType it is ${shown}, not ${mediaType}`)
  return kind === 'image' ? readImage(value, mediaType) : readIndex(value, mediaType)
}

function parseJson(octets: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets))
  } catch (error) {
    throw invalid('it is no JSON', error)
  }
}

function readImage(value: object, mediaType: string): Manifest {
  const { config, layers, ...rest } = checked(image, value)
  const here = [config, ...layers.filter(layer => !isForeign(layer.mediaType))]
  return {
    mediaType,
    artifactType: rest.artifactType || config.mediaType,
    annotations: rest.annotations ?? null,
    subject: rest.subject?.digest ?? null,
    blobs: distinct(here),
    foreignBlobs: distinct(layers.filter(layer => isForeign(layer.mediaType))),
    children: [],
  }
}

function readIndex(value: object, mediaType: string): Manifest {
  const { manifests, ...rest } = checked(index, value)
  return {
    mediaType,
    artifactType: rest.artifactType || null,
    annotations: rest.annotations ?? null,
    subject: rest.subject?.digest ?? null,
    blobs: [],
    foreignBlobs: [],
    children: distinct(manifests),
  }
}

function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const { path, message } = result.error.issues[0]!
  throw invalid(`${path.join('.') || 'it'}: ${message}`)
}

/** Layers that may not be handed on, which clients take from where their `urls` say. */
function isForeign(mediaType: string): boolean {
  return mediaType.includes('.nondistributable.') || mediaType.includes('.foreign.')
}

function distinct(descriptors: readonly { readonly digest: Digest }[]): readonly Digest[] {
  return [...new Set(descriptors.map(each => each.digest))]
}
