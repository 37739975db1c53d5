// An image with bash and sleep, taken from this machine with the libraries that they need: for commands that run once
// and processes that fail in ways of their own.

import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { run } from './command.ts'
import { buildArchive } from './images.ts'
import type { NodeRuntime } from './node.ts'

export const shellImage = 'localhost/shell:1'

const programs = ['/bin/bash', '/bin/sleep']

/** For commands of a Dockerfile. */
const tools = ['cat', 'chown', 'grep', 'id', 'ls', 'mkdir', 'mount', 'sh', 'tr', 'true', 'unshare']

/** Makes it and gives it to the node. */
export async function loadShellImage(node: NodeRuntime): Promise<void> {
  await using context = await contextOf(programs)
  await node.buildImage(context.path, shellImage)
}

/** The same with some tools, as an archive in `directory`: what Dockerfiles of tests begin with. */
export async function toolsArchive(directory: string): Promise<string> {
  await using context = await contextOf([...programs, ...tools.map(name => `/bin/${name}`)])
  const archive = join(directory, 'tools.tar')
  await buildArchive(join(context.path, 'storage'), context.path, 'localhost/tools:1', archive)
  return archive
}

async function contextOf(paths: readonly string[]): Promise<AsyncDisposable & { readonly path: string }> {
  const path = mkdtempSync(join(tmpdir(), 'deis-shell-'))
  for (const program of paths) {
    copyInto(path, program)
    const libraries = (await run('ldd', [program])).match(/\/\S+/g) ?? []
    for (const library of libraries) copyInto(path, library)
  }
  const lines = ['FROM scratch', 'COPY root /', 'ENV PATH=/bin', 'CMD ["/bin/sleep", "3600"]', '']
  writeFileSync(join(path, 'Dockerfile'), lines.join('\n'))
  return { path, [Symbol.asyncDispose]: async () => rmSync(path, { recursive: true, force: true }) }
}

function copyInto(context: string, file: string): void {
  const target = join(context, 'root', file)
  mkdirSync(dirname(target), { recursive: true })
  cpSync(realpathSync(file), target)
}
