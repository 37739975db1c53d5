// Dockerfiles (builder contract, section 8) take a container engine: podman, buildah or docker, whichever of them is there
// and works for the user that we run as. None of them is asked for more than to build, to push and to forget.

import { appendFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { BuildError } from '../strategy.ts'
import { type Bench, exited } from './buildpack.ts'

interface Engine {
  readonly name: 'podman' | 'buildah' | 'docker'
  readonly file: string
  readonly environment: Readonly<Record<string, string>>
}

/** Those without a daemon first. */
const engines = ['podman', 'buildah', 'docker'] as const

export interface Destination {
  /** `HOST:PORT` of the registry. */
  readonly host: string
  /** Without TLS. */
  readonly isPlain: boolean
  readonly credentials: { readonly username: string; readonly password: string } | null
}

/** Throws BuildError `refused` when there is no engine. */
export async function buildDockerfile(
  bench: Bench,
  image: string,
  config: Readonly<Record<string, string>>,
  destination: Destination,
): Promise<void> {
  const { source, output, steps } = bench
  const engine = await findEngine(bench)
  const name = `${destination.host}/${image}`
  const environment = { ...config, ...engine.environment, ...(await loginOf(bench, destination)) }
  const run = (args: readonly string[], hear: (line: string) => void): Promise<number> =>
    steps.run({ name: engine.name, command: [engine.file, ...args], directory: source, environment, hear })
  const raw = (line: string): void => output.raw(line)
  const status = await run(['build', '--tag', name, ...(await buildArguments(source, config)), '.'], raw)
  // Whatever the engine calls it: clients know this one.
  if (status !== 0) throw exited(1)
  try {
    output.raw('Pushing to registry')
    const tls = engine.name === 'docker' ? [] : [`--tls-verify=${!destination.isPlain}`]
    const pushed = await run(['push', ...tls, name], raw)
    if (pushed !== 0) throw exited(1)
  } finally {
    // What it is called, not its layers: the next build is quicker with them, and the engine has a way to tidy up.
    if (!steps.signal.aborted) await run(['rmi', name], () => {})
  }
}

async function findEngine({ steps, environment, source }: Bench): Promise<Engine> {
  const silent: string[] = []
  // Its images and its settings are the user's, and stay when the build is over.
  const { XDG_RUNTIME_DIR: runtime } = process.env
  const own = { HOME: homedir(), ...(runtime === undefined ? {} : { XDG_RUNTIME_DIR: runtime }) }
  const all = { ...environment, ...own }
  for (const name of engines) {
    const file = await programOf(name, environment.PATH ?? '')
    if (file === null) continue
    // A client without its daemon is no engine.
    const status = await steps.run({
      name,
      command: [file, 'info'],
      directory: source,
      environment: all,
      hear: () => {},
    })
    if (status === 0) return { name, file, environment: all }
    silent.push(name)
  }
  const found = silent.length === 0 ? '' : ` (${silent.join(' and ')} does not work for this user)`
  throw new BuildError(
    'refused',
    `A Dockerfile takes a container engine, and there is none on this machine${found}. Install podman or buildah, or ` +
      'remove the Dockerfile and add a Procfile: then the app is built without one.',
  )
}

/** All of the config when the app wants that; declared at the end, so that one that is not used is no error. */
async function buildArguments(source: string, config: Readonly<Record<string, string>>): Promise<readonly string[]> {
  if (config.DEIS_DOCKER_BUILD_ARGS_ENABLED === undefined) return []
  const names = Object.keys(config).filter(name => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
  const file = join(source, 'Dockerfile')
  const text = await readFile(file, 'utf8')
  await appendFile(file, `${text.endsWith('\n') ? '' : '\n'}${names.map(name => `ARG ${name}\n`).join('')}`)
  // Values come by the environment: arguments are seen by everybody on the machine.
  return names.flatMap(name => ['--build-arg', name])
}

/** A file with the password, for it too. */
async function loginOf(
  { workspace }: Bench,
  { host, credentials }: Destination,
): Promise<Readonly<Record<string, string>>> {
  if (credentials === null) return {}
  const directory = join(workspace.root, 'login')
  await mkdir(directory, { mode: 0o700 })
  const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')
  const file = join(directory, 'config.json')
  await writeFile(file, JSON.stringify({ auths: { [host]: { auth } } }), { mode: 0o600 })
  return { REGISTRY_AUTH_FILE: file, DOCKER_CONFIG: directory }
}

async function programOf(name: string, path: string): Promise<string | null> {
  for (const directory of path.split(delimiter)) {
    const file = join(directory, name)
    const status = directory === '' ? null : await stat(file).catch(() => null)
    if (status?.isFile() && (status.mode & 0o111) !== 0) return file
  }
  return null
}
