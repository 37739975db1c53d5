// An image with bash and sleep, taken from this machine with the libraries that they need: for commands that run once
// and processes that fail in ways of their own.

import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { run } from './command.ts'
import type { NodeRuntime } from './node.ts'

export const shellImage = 'localhost/shell:1'

const programs = ['/bin/bash', '/bin/sleep']

/** Makes it and gives it to the node. */
export async function loadShellImage(node: NodeRuntime): Promise<void> {
  const context = mkdtempSync(join(tmpdir(), 'deis-shell-'))
  try {
    for (const program of programs) {
      copyInto(context, program)
      const libraries = (await run('ldd', [program])).match(/\/\S+/g) ?? []
      for (const library of libraries) copyInto(context, library)
    }
    const lines = ['FROM scratch', 'COPY root /', 'ENV PATH=/bin', 'CMD ["/bin/sleep", "3600"]', '']
    writeFileSync(join(context, 'Dockerfile'), lines.join('\n'))
    await node.buildImage(context, shellImage)
  } finally {
    rmSync(context, { recursive: true, force: true })
  }
}

function copyInto(context: string, file: string): void {
  const target = join(context, 'root', file)
  mkdirSync(dirname(target), { recursive: true })
  cpSync(realpathSync(file), target)
}
