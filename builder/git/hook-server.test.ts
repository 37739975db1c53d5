import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { HookServer } from './hook-server.ts'

test('what killed builders left is removed by the next one, and what others use is not', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'hooks-'))
  vi.stubEnv('TMPDIR', directory)
  try {
    const other = await HookServer.start()
    const [used] = await readdir(directory)
    for (const name of ['builder-hook-dead', 'builder-hook-new']) {
      await mkdir(join(directory, name, 'hooks'), { recursive: true })
      // Its owner ends without a word.
      const bind = 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])'
      execFileSync('python3', ['-c', bind, join(directory, name, 'socket')])
    }
    await mkdir(join(directory, 'builder-hook-bare'))
    for (const name of [used!, 'builder-hook-dead', 'builder-hook-bare']) await utimes(join(directory, name), 0, 0)
    const mine = await HookServer.start()
    const left = await readdir(directory)
    expect(left).toHaveLength(4)
    for (const name of [used, 'builder-hook-bare', 'builder-hook-new']) expect(left).toContain(name)
    await Promise.all([other.close(), mine.close()])
  } finally {
    vi.unstubAllEnvs()
    await rm(directory, { recursive: true })
  }
})
