// Buildpacks: directories with `bin/detect BUILD`, `bin/compile BUILD CACHE ENV` and `bin/release BUILD` (builder contract,
// section 7). Ours are in builder/buildpacks; BUILDPACK_URL names a git repository with another one.

import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { mapOf, type Procfile } from '../procfile.ts'
import { BuildError } from '../strategy.ts'
import type { Output } from './output.ts'
import type { Steps } from './steps.ts'
import type { Workspace } from './workspace.ts'

/** What all programs of a build have in common. */
export interface Bench {
  readonly steps: Steps
  readonly workspace: Workspace
  readonly output: Output
  /** Directory with the app. */
  readonly source: string
  readonly environment: Readonly<Record<string, string>>
}

export interface Buildpack {
  readonly directory: string
  /** As it calls itself: `Node`. */
  readonly name: string
}

export interface Released {
  readonly processTypes: Procfile
  /** Defaults of the app's environment. */
  readonly environment: Readonly<Record<string, string>>
}

const builtIn = join(import.meta.dirname, '..', '..', 'buildpacks')
/** In this order: an app with a package.json may well have an index.html. */
const order = ['node', 'python', 'go', 'static']

const longestName = 100
/** Bytes of what `bin/release` says. */
const longestRelease = 64 * 1024

/** The first of ours that wants the app; null: none does. */
export async function selectBuiltIn(bench: Bench): Promise<Buildpack | null> {
  for (const name of order) {
    const found = await detect(join(builtIn, name), bench)
    if (found !== null) return found
  }
  return null
}

/** Null: it does not want the app. */
export async function detect(directory: string, bench: Bench): Promise<Buildpack | null> {
  const lines: string[] = []
  const status = await run(
    'detect',
    directory,
    [bench.source],
    bench,
    line => void (lines.length < 100 && lines.push(line)),
  )
  if (status !== 0) return null
  return { directory, name: (lines.find(line => line.trim() !== '') ?? 'An').trim().slice(0, longestName) }
}

/** Throws BuildError `failed` with its exit status. */
export async function compile({ directory }: Buildpack, bench: Bench): Promise<void> {
  const { workspace, output, source } = bench
  const { cache, environment } = workspace
  await runOfApp('pre-compile', bench)
  const status = await run('compile', directory, [source, cache, environment], bench, line => output.hear(line))
  if (status !== 0) throw exited(status)
  await runOfApp('post-compile', bench)
}

export async function release({ directory }: Buildpack, bench: Bench): Promise<Released> {
  const none = { processTypes: {}, environment: {} }
  if (!(await isProgram(join(directory, 'bin', 'release')))) return none
  let text = ''
  const status = await run('release', directory, [bench.source], bench, line => {
    if (text.length < longestRelease) text += `${line}\n`
  })
  if (status !== 0) throw exited(status)
  try {
    const document: unknown = parse(text, { maxAliasCount: 0, schema: 'failsafe' }) ?? {}
    const { default_process_types: types, config_vars: values } = document as Readonly<Record<string, unknown>>
    const [processTypes, environment] = [mapOf(types), mapOf(values)]
    if (processTypes !== null && environment !== null) return { processTypes, environment }
  } catch {
    // As what is no map.
  }
  throw new BuildError('failed', "The buildpack's bin/release says nothing that can be understood.")
}

/** Its text is matched by tests of clients: `exited with code 1, stopping build`. */
export function exited(status: number): BuildError {
  return new BuildError('failed', `Build exited with code ${status}, stopping build.`)
}

async function run(
  program: 'detect' | 'compile' | 'release',
  directory: string,
  args: readonly string[],
  { steps, environment }: Bench,
  hear: (line: string) => void,
): Promise<number> {
  const file = join(directory, 'bin', program)
  if (!(await isProgram(file))) throw new BuildError('failed', `The buildpack has no program bin/${program}.`)
  return await steps.run({ name: program, command: [file, ...args], directory, environment, hear })
}

/** What the app itself wants to have done before and after. */
async function runOfApp(program: 'pre-compile' | 'post-compile', bench: Bench): Promise<void> {
  const { steps, source, workspace, environment, output } = bench
  const file = join(source, 'bin', program)
  if (!(await isProgram(file))) return
  const status = await steps.run({
    name: program,
    command: [file, source, workspace.cache, workspace.environment],
    directory: source,
    environment,
    hear: line => output.hear(line),
  })
  if (status !== 0) throw exited(status)
}

async function isProgram(file: string): Promise<boolean> {
  return await access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}
