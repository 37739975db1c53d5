// Documents of an image (OCI Image 1.1): the fields that we write and read. What comes from a registry is not trusted to
// have them.

export const mediaType = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
} as const

export interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

export interface Platform {
  readonly os: string
  readonly architecture: string
}

export interface Manifest {
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
}

export interface Index {
  readonly manifests: readonly (Descriptor & { readonly platform: Platform | null })[]
}

export interface ImageConfig {
  readonly environment: readonly string[]
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
  readonly workingDirectory: string
  /** `5000/tcp`, in the order in which they are written. */
  readonly exposedPorts: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  /** Digests of the layers as they are when they are not compressed. */
  readonly layers: readonly string[]
}

/** Labels that our own images have. */
export const label = {
  /** Process types, as JSON. */
  procfile: 'io.deis.procfile',
  /** `directory`: all that it takes is in its working directory, so that it runs on a machine without a container. */
  runsIn: 'io.deis.runs-in',
} as const

/** This machine, as images name it. */
export const thisPlatform: Platform = {
  os: process.platform,
  architecture: { x64: 'amd64', ia32: '386' }[process.arch as string] ?? process.arch,
}

/** Throws an Error that says what is wrong. */
export function readManifest(text: string): Manifest | Index {
  const document = record(JSON.parse(text), 'it')
  if (Array.isArray(document.manifests)) return { manifests: document.manifests.map(readIndexEntry) }
  const layers = document.layers
  if (!Array.isArray(layers)) throw new Error('it names no layers')
  return { config: readDescriptor(document.config), layers: layers.map(readDescriptor) }
}

export function readImageConfig(text: string): ImageConfig {
  const document = record(JSON.parse(text), 'its config')
  const config = document.config === undefined || document.config === null ? {} : record(document.config, 'its config')
  const rootfs = record(document.rootfs, 'its root file system')
  return {
    environment: texts(config.Env),
    entrypoint: texts(config.Entrypoint),
    command: texts(config.Cmd),
    workingDirectory: typeof config.WorkingDir === 'string' && config.WorkingDir !== '' ? config.WorkingDir : '/',
    exposedPorts: Object.keys(isRecord(config.ExposedPorts) ? config.ExposedPorts : {}),
    labels: Object.fromEntries(
      Object.entries(isRecord(config.Labels) ? config.Labels : {}).flatMap(([name, value]) =>
        typeof value === 'string' ? [[name, value]] : [],
      ),
    ),
    layers: texts(rootfs.diff_ids),
  }
}

/** Null: it exposes none. */
export function firstPort({ exposedPorts }: ImageConfig): number | null {
  for (const text of exposedPorts) {
    const [, digits] = /^(\d{1,5})(?:\/tcp)?$/.exec(text) ?? []
    const port = Number(digits)
    if (port >= 1 && port <= 65_535) return port
  }
  return null
}

function readIndexEntry(raw: unknown): Index['manifests'][number] {
  const { platform } = record(raw, 'a manifest')
  const known = isRecord(platform) && typeof platform.os === 'string' && typeof platform.architecture === 'string'
  return {
    ...readDescriptor(raw),
    platform: known ? { os: String(platform.os), architecture: String(platform.architecture) } : null,
  }
}

function readDescriptor(raw: unknown): Descriptor {
  const { mediaType: type, digest, size } = record(raw, 'a descriptor')
  if (typeof type !== 'string' || typeof digest !== 'string') throw new Error('a descriptor names no digest')
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw new Error('a descriptor has no size')
  return { mediaType: type, digest, size }
}

function texts(raw: unknown): readonly string[] {
  return Array.isArray(raw) ? raw.filter(item => typeof item === 'string') : []
}

function record(raw: unknown, what: string): Readonly<Record<string, unknown>> {
  if (isRecord(raw)) return raw
  throw new Error(`${what} is no object`)
}

function isRecord(raw: unknown): raw is Readonly<Record<string, unknown>> {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw)
}
