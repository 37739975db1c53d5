// Kubernetes objects from a directory of manifests: `*.yaml`, `*.yml` and `*.json`, one level of subdirectories deep.
//
// The watcher only says that something moved; what is there is then read from the directory itself. So a lost or
// doubled event, an editor that renames over a file and a mounted ConfigMap that swaps a link all end in the same place.

import type { Stats } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import { exitCode, StartupError } from '#kit/exit.ts'
import type { Deployment, EndpointSlice, Ingress, IngressClass, KubeObject, Secret, Service } from '#kube/types.ts'
import type { Watcher, WatchState } from '#kube/watch.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import { Collection } from './collection.ts'
import { Holdoff } from './holdoff.ts'
import { identityOf, type ManifestObject, parseManifest } from './manifest-file.ts'
import { type HearSecret, NamedSecrets } from './named-secrets.ts'
import type { NamedService, Source, SourceOptions } from './source.ts'

/** A larger file is refused: it is no manifest of a person's. */
const maxFileSize = 4 * 1024 * 1024
/** Looks again this often even when the watcher is silent: network file systems and a full inotify table lose events. */
const rescanInterval = 10_000

/** All Secrets are at hand here, and so is every Service by its name. */
export interface ManifestSourceOptions extends Omit<SourceOptions, 'secrets' | 'publishService'> {
  readonly directory: string
}

type ObjectOf<K extends ManifestObject['kind']> = Extract<ManifestObject, { readonly kind: K }>['object']

/** A file as last read. Its objects are those of the last version that could be read. */
interface KnownFile {
  readonly signature: string
  readonly objects: readonly ManifestObject[]
  readonly problems: readonly Problem[]
}

export class ManifestSource implements Source, AsyncDisposable {
  readonly services: Watcher<Service>
  readonly endpointSlices: Watcher<EndpointSlice>
  readonly namedServices: readonly NamedService[] = []
  readonly workload: Watcher<Deployment>
  readonly workloadResource: 'deployment' | 'daemonset'
  readonly ingresses: Watcher<Ingress> | null
  readonly ingressClasses: Watcher<IngressClass> | null

  readonly #options: ManifestSourceOptions
  readonly #services = new Collection<Service>()
  readonly #endpointSlices = new Collection<EndpointSlice>()
  readonly #workload = new Collection<Deployment>()
  readonly #ingresses = new Collection<Ingress>()
  readonly #ingressClasses = new Collection<IngressClass>()
  readonly #secrets = new NamedSecrets()
  #files: ReadonlyMap<string, KnownFile> = new Map()
  #problems: readonly Problem[] = []
  #watchError: string | null = null
  #scanError: string | null = null

  readonly #watcher: FSWatcher
  readonly #holdoff: Holdoff
  readonly #rescan: NodeJS.Timeout
  #scanning: Promise<void> | null = null
  #scanAgain = false
  #closed = false

  /** Resolves after the first reading. Rejects with StartupError 64 when there is no such directory. */
  static async open(options: ManifestSourceOptions): Promise<ManifestSource> {
    const found: Stats | Error = await stat(options.directory).catch(error => error)
    if (found instanceof Error)
      throw new StartupError(exitCode.usage, `--manifests: cannot read ${options.directory}: ${reasonOf(found)}`)
    if (!found.isDirectory())
      throw new StartupError(exitCode.usage, `--manifests: ${options.directory} is not a directory`)
    const source = new ManifestSource(options)
    await source.#ready()
    return source
  }

  private constructor(options: ManifestSourceOptions) {
    const { directory, ingress, workload } = options
    this.#options = options
    this.services = this.#services
    this.endpointSlices = this.#endpointSlices
    this.workload = this.#workload
    this.workloadResource = workload === 'Deployment' ? 'deployment' : 'daemonset'
    this.ingresses = ingress ? this.#ingresses : null
    this.ingressClasses = ingress ? this.#ingressClasses : null
    this.#holdoff = new Holdoff(() => void this.#scan(), { quiet: 10, longest: 100 })
    this.#rescan = setInterval(() => void this.#scan(), rescanInterval).unref()
    this.#watcher = watch(directory, { depth: 1, ignoreInitial: true, ignorePermissionErrors: true })
    this.#watcher.on('all', () => this.#holdoff.mark())
    this.#watcher.on('error', error => {
      this.#watchError = reasonOf(error)
    })
  }

  /** One Secret by name: kept up while somebody reads it. */
  secret(namespace: string, name: string): Watcher<Secret> {
    return this.#secrets.watcher(namespace, name)
  }

  listenSecret(namespace: string, name: string, hear: HearSecret): () => void {
    return this.#secrets.listen(namespace, name, hear)
  }

  states(): readonly WatchState[] {
    const lastError = this.#watchError ?? this.#scanError
    const state = (resource: string, { synced, events }: { synced: boolean; events: number }): WatchState => ({
      resource,
      connected: lastError === null,
      synced,
      events,
      relists: 0,
      reconnects: 0,
      lastError,
    })
    return [
      state('services', this.#services),
      state('endpointslices', this.#endpointSlices),
      state(this.workloadResource, this.#workload),
      ...(this.ingresses === null
        ? []
        : [state('ingresses', this.#ingresses), state('ingressclasses', this.#ingressClasses)]),
      state('secret *', this.#secrets),
    ]
  }

  refused(): ReadonlySet<string> {
    return new Set()
  }

  problems(): readonly Problem[] {
    return this.#problems
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#holdoff[Symbol.dispose]()
    clearInterval(this.#rescan)
    await this.#watcher.close()
    await this.#scanning
  }

  /** Waits for the watcher first: what changes while we read is then told again. */
  async #ready(): Promise<void> {
    await new Promise<void>(resolve => {
      this.#watcher.once('ready', resolve)
      // A watcher that cannot start is no reason to serve nothing: the directory is read every so often.
      this.#watcher.once('error', () => resolve())
    })
    await this.#scan()
  }

  /** Reads what moved. One reading at a time; whoever asks during one gets another after it. */
  #scan(): Promise<void> {
    if (this.#scanning !== null) {
      this.#scanAgain = true
      return this.#scanning
    }
    this.#scanning = this.#scanUntilQuiet()
      .catch((error: unknown) => {
        // A fault of ours: what was read last stays, and the next event tries again.
        this.#scanError = reasonOf(error)
      })
      .finally(() => {
        this.#scanning = null
      })
    return this.#scanning
  }

  async #scanUntilQuiet(): Promise<void> {
    do {
      this.#scanAgain = false
      let found: readonly string[]
      try {
        found = await listManifests(this.#options.directory)
      } catch (error) {
        this.#problems = [...this.#problems.filter(({ object }) => object.kind !== 'Directory'), this.#gone(error)]
        continue
      }
      const files = new Map<string, KnownFile>()
      for (const name of found) {
        const known = await readKnown(this.#options.directory, name, this.#files.get(name))
        if (known !== null) files.set(name, known)
      }
      // All files vanish one by one when the directory is removed; only what is gone from a directory that is there
      // was taken away by somebody.
      if (files.size < this.#files.size && (await stat(this.#options.directory).catch(() => null)) === null) continue
      this.#files = files
      this.#publish()
      this.#scanError = null
    } while (this.#scanAgain && !this.#closed)
  }

  #publish(): void {
    const { objects, problems } = merge(this.#files)
    this.#problems = problems
    const { namespace, ingress, watchNamespace, workload } = this.#options
    const ofKind = <K extends ManifestObject['kind']>(kind: K) =>
      objects.filter(entry => entry.kind === kind).map(({ object }) => object as ObjectOf<K>)
    const isFollowed = ({ metadata }: KubeObject): boolean =>
      watchNamespace === null || metadata.namespace === watchNamespace
    const isBuilders = ({ metadata }: KubeObject, name: string | undefined): boolean =>
      metadata.namespace === namespace && name === 'deis-builder'
    this.#secrets.replace(ofKind('Secret'))
    this.#endpointSlices.replace(
      ofKind('EndpointSlice').filter(slice => {
        const name = slice.metadata.labels?.['kubernetes.io/service-name']
        return isFollowed(slice) || isBuilders(slice, name)
      }),
    )
    this.#workload.replace(
      ofKind(workload).filter(({ metadata }) => metadata.name === 'deis-router' && metadata.namespace === namespace),
    )
    this.#ingressClasses.replace(ofKind('IngressClass'))
    this.#ingresses.replace(ofKind('Ingress').filter(isFollowed))
    this.#services.replace(
      ofKind('Service').filter(service => {
        const { name, labels } = service.metadata
        // Without quotes it is a boolean: not what the API takes, and worth a Problem further on, not silence.
        const isRoutable = String(labels?.['router.deis.io/routable']) === 'true'
        return ((ingress || isRoutable) && isFollowed(service)) || isBuilders(service, name)
      }),
    )
  }

  #gone(error: unknown): Problem {
    return {
      code: 'invalid-manifest',
      severity: 'error',
      object: { kind: 'Directory', namespace: '', name: this.#options.directory },
      message: `the manifest directory cannot be read (${reasonOf(error)}); what it held last stays in force`,
    }
  }
}

/** Relative names in the order in which files win. Hidden ones are editors' and volumes' own business. */
async function listManifests(directory: string): Promise<readonly string[]> {
  const names: string[] = []
  for (const name of await readdir(directory)) {
    if (name.startsWith('.')) continue
    if (isManifest(name)) names.push(name)
    else if ((await stat(join(directory, name)).catch(() => null))?.isDirectory())
      for (const inner of await readdir(join(directory, name)).catch(() => []))
        if (!inner.startsWith('.') && isManifest(inner)) names.push(`${name}/${inner}`)
  }
  return names.sort((a, b) => (a < b ? -1 : 1))
}

function isManifest(name: string): boolean {
  return /\.(ya?ml|json)$/.test(name)
}

/** The file as it is now; `last` itself when nothing moved; null when it is gone or no file. */
async function readKnown(directory: string, name: string, last: KnownFile | undefined): Promise<KnownFile | null> {
  const path = join(directory, name)
  const refuse = (signature: string, reason: string, line?: number): KnownFile => ({
    signature,
    objects: last?.objects ?? [],
    problems: [
      invalidManifest(name, line, `${reason}; ${last?.objects.length ? 'its last good version' : 'nothing'} holds`),
    ],
  })
  try {
    const found = await stat(path, { bigint: true })
    if (!found.isFile()) return null
    const signature = `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`
    if (signature === last?.signature) return last
    if (found.size > maxFileSize) return refuse(signature, `it is larger than ${maxFileSize >> 20} MB`)
    // Many editors empty a file before they write it.
    if (found.size === 0n && last !== undefined && last.objects.length > 0)
      return refuse(signature, 'it is empty (remove the file to remove what it held)')
    const parsed = parseManifest(await readFile(path, 'utf8'), name.endsWith('.json') ? 'json' : 'yaml')
    if (parsed.kind === 'unreadable') return refuse(signature, parsed.fault.reason, parsed.fault.line)
    return {
      signature,
      objects: parsed.objects,
      problems: parsed.faults.map(({ line, reason, severity }) => ({
        ...invalidManifest(name, line, `${reason}; it is left out`),
        severity,
      })),
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    return code === 'ENOENT' ? null : refuse('', `it cannot be read (${code})`)
  }
}

/** All objects of all files; of two with one name the one in the file that sorts first. */
function merge(files: ReadonlyMap<string, KnownFile>): {
  readonly objects: readonly ManifestObject[]
  readonly problems: readonly Problem[]
} {
  const objects = new Map<string, { readonly file: string; readonly entry: ManifestObject }>()
  const problems: Problem[] = []
  for (const [file, known] of files) {
    problems.push(...known.problems)
    for (const entry of known.objects) {
      const identity = identityOf(entry)
      const first = objects.get(identity)
      if (first === undefined) objects.set(identity, { file, entry })
      else
        problems.push({
          code: 'invalid-manifest',
          severity: 'warning',
          object: refOf(entry),
          message: `it is in ${first.file} and again in ${file}; the first one counts`,
        })
    }
  }
  return { objects: Array.from(objects.values(), ({ entry }) => entry), problems }
}

function refOf({ kind, object }: ManifestObject): ObjectRef {
  return { kind, namespace: object.metadata.namespace ?? '', name: object.metadata.name }
}

function invalidManifest(file: string, line: number | undefined, message: string): Problem {
  return {
    code: 'invalid-manifest',
    severity: 'error',
    object: { kind: 'Manifest', namespace: '', name: file },
    message: line === undefined ? message : `line ${line}: ${message}`,
  }
}

function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? (error instanceof Error ? error.message : String(error))
}
