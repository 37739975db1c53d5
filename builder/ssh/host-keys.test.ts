import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ssh2 from 'ssh2'
import { expect, test, vi } from 'vitest'
import { hostKeys } from './host-keys.ts'

test('a key that cannot be read again is not kept: about one in 300 of those that the library makes', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'host-keys-'))
  const make = vi.spyOn(ssh2.utils, 'generateKeyPair')
  make.mockImplementationOnce((_type: unknown, done: unknown) => {
    ;(done as (error: null, keys: { private: string }) => void)(null, { private: 'what nobody can read' })
  })
  try {
    expect(await hostKeys(directory)).toHaveLength(2)
    expect(make).toHaveBeenCalledTimes(3)
    // Kept, and read by the next start.
    expect(await hostKeys(directory)).toHaveLength(2)
    expect(make).toHaveBeenCalledTimes(3)
  } finally {
    make.mockRestore()
    await rm(directory, { recursive: true })
  }
})
