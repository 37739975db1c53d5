// The program h2spec: what RFC 9113 and RFC 7541 ask of a server, told by somebody else. Built once from its Go module
// into the cache of the cluster suite.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cached } from '#test/cluster/binaries.ts'
import { run, say } from '#test/cluster/command.ts'

/** 2.6.0, which as a module has no version. */
const version = 'v0.0.0-20200804131034-70ac22940108'

/** One case and how it went. */
export interface Outcome {
  /** Section of the specification, with the name of the suite: `http2/6.5. SETTINGS`. */
  readonly section: string
  readonly name: string
  /** What was expected and, in the last line, what came; `skipped`; null: passed. */
  readonly failure: string | null
}

/** The path of the program, built now (20 s) if it never was. */
async function program(): Promise<string> {
  const flags = ['-trimpath', '-ldflags', '-s -w']
  const entry = await cached('h2spec', [version, ...flags, process.arch], async target => {
    say('building h2spec')
    const install = ['-n', '10', 'go', 'install', ...flags, `github.com/summerwind/h2spec/cmd/h2spec@${version}`]
    await run('nice', install, { env: { CGO_ENABLED: '0', GOBIN: target } })
  })
  return join(entry, 'h2spec')
}

/** Runs every case, strict ones too, on 127.0.0.1. */
export async function h2spec(port: number, transport: 'tls' | 'cleartext'): Promise<Outcome[]> {
  const directory = await mkdtemp(join(tmpdir(), 'h2spec-'))
  const report = join(directory, 'report.xml')
  const tls = transport === 'tls' ? ['-t', '-k'] : []
  // It fails when a case does: the report tells.
  const ended = run(await program(), ['-S', '-h', '127.0.0.1', '-p', String(port), '-j', report, ...tls])
  const trouble = await ended.then(
    () => null,
    (error: Error) => error,
  )
  try {
    const text = await readFile(report, 'utf8').catch(() => null)
    if (text === null) throw new Error('h2spec made no report', { cause: trouble })
    return parseReport(text)
  } finally {
    await rm(directory, { recursive: true })
  }
}

/** Reads h2spec's own form of JUnit's XML: a line for each element, everything in attributes but for failures. */
export function parseReport(text: string): Outcome[] {
  const outcomes: Outcome[] = []
  const suites = /<testsuite name="([^"]*)" package="([^"/]*)\/[^"]*"[^>]*>(.*?)<\/testsuite>/gs
  const testCases = /<testcase package="[^"]*" classname="([^"]*)"[^>]*>(.*?)<\/testcase>/gs
  for (const [, title, suite, inner] of text.matchAll(suites))
    for (const [, name, content] of inner!.matchAll(testCases)) {
      const trouble = plain(content!.replace(/<[^>]*>/g, '')).trim() || 'skipped'
      const failure = content!.trim() === '' ? null : trouble
      outcomes.push({ section: plain(`${suite}/${title}`), name: plain(name!), failure })
    }
  return outcomes
}

function plain(xml: string): string {
  return xml
    .replace(/&#(x[0-9a-f]+|\d+);/gi, (_, code: string) => String.fromCodePoint(Number(code.replace('x', '0x'))))
    .replace(/&(lt|gt|quot|apos);/g, (_, name: string) => ({ lt: '<', gt: '>', quot: '"', apos: "'" })[name] ?? '')
    .replaceAll('&amp;', '&')
}
