import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { expect, test } from 'vitest'
import { selfSign } from '#kit/self-signed.ts'
import { readTlsFiles, watchTlsFiles } from './tls-files.ts'

test('files are read again when they change, and what is no pair changes nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tls-files-'))
  try {
    const config = { port: 0, certificate: join(folder, 'crt'), key: join(folder, 'key'), authorities: null }
    const replace = async (file: string, text: string): Promise<void> => {
      await writeFile(`${file}.new`, text)
      await rename(`${file}.new`, file)
    }
    const [one, two] = [selfSign(['a.example'], 1, Date.now()), selfSign(['b.example'], 1, Date.now())]
    await Promise.all([replace(config.certificate, one.chain), replace(config.key, one.key)])
    expect(readTlsFiles(config)).toMatchObject({ requestCert: false })
    const logged: string[] = []
    const seen: string[] = []
    const log = pino({}, { write: line => logged.push(line) })
    using _ = watchTlsFiles(config, log, ({ cert }) => seen.push(String(cert)), 10)
    await replace(config.certificate, two.chain)
    await expect.poll(() => logged.join(), { timeout: 10_000 }).toContain('stays as it was')
    expect(seen).toEqual([])
    await replace(config.key, two.key)
    await expect.poll(() => seen, { timeout: 10_000 }).toEqual([two.chain])
    await rm(config.key)
    expect(() => readTlsFiles(config)).toThrow('TLS: ENOENT')
  } finally {
    await rm(folder, { recursive: true })
  }
})
