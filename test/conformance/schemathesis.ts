// The program schemathesis: requests made from an OpenAPI document, good ones and bad ones, and what the answers are held
// against. Installed once from its Python package into the cache of the cluster suite.

import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from '#test/cluster/binaries.ts'
import { run, say } from '#test/cluster/command.ts'

const version = '4.32.5'

/** Of one run, at most: beyond it, what is left to cover is left out. */
const mostSeconds = 50

/** Not those that want every rule of a field to be in the document: some are of several fields, or of what is stored. */
const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'unsupported_method',
]

export interface SchemathesisOptions {
  /** Of the document. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Regular expression of paths. */
  readonly include?: string
  readonly exclude?: string
  /** `DELETE /v2/apps/{id}/` */
  readonly excludedOperations?: readonly string[]
  /** Values of parameters: `path.id`. */
  readonly parameters: Readonly<Record<string, string>>
  /** Where it may leave files. */
  readonly directory: string
  /** Requests of each operation that are made up, beside those that cover its schema. */
  readonly examples: number
}

export interface Findings {
  readonly succeeded: boolean
  readonly report: string
  /** Requests that were made. */
  readonly count: number
}

export async function schemathesis(options: SchemathesisOptions): Promise<Findings> {
  const { url, headers, include, exclude, excludedOperations = [], parameters, directory, examples } = options
  const entry = await cached('schemathesis', [version, process.arch], async target => {
    say('installing schemathesis')
    await run('python3', ['-m', 'venv', target])
    // Its scripts name the directory that it was made in, which is not where it stays.
    await run(join(target, 'bin/python'), ['-m', 'pip', 'install', '-q', `schemathesis==${version}`])
  })
  const settings = Object.entries(parameters).map(([name, value]) => `"${name}" = ${JSON.stringify(value)}`)
  const config = join(directory, 'schemathesis.toml')
  await writeFile(config, `[parameters]\n${settings.join('\n')}\n`)
  // One worker: with several, Python 3.11 loses count of its recursion now and then.
  const args = [
    ...['-m', 'schemathesis.cli', '--config-file', config, 'run', url, '--no-color', '--seed', '1'],
    ...['--phases', 'examples,coverage,fuzzing', '--continue-on-failure', '--warnings', 'off'],
    ...['--max-examples', String(examples), '--max-time', String(mostSeconds), '--request-timeout', '20'],
    ...['--checks', checks.join(',')],
    ...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
    ...(include === undefined ? [] : ['--include-path-regex', include]),
    ...(exclude === undefined ? [] : ['--exclude-path-regex', exclude]),
    ...excludedOperations.flatMap(name => ['--exclude-name', name]),
  ]
  const { promise, resolve } = Promise.withResolvers<Findings>()
  const limits = { cwd: directory, timeout: (mostSeconds + 60) * 1000, maxBuffer: 64 * 1024 * 1024 }
  execFile(join(entry, 'bin/python'), args, limits, (error, stdout, stderr) => {
    const count = Number(/(\d+) generated/.exec(stdout)?.[1] ?? 0)
    resolve({ succeeded: error === null, report: `${stdout}\n${stderr}`, count })
  })
  return promise
}
