// A disk that gets full under controller, registry and builder: whoever asks is told so, reading goes on, one line of the log
// says what is full, and with room again everything works, without a restart.

import { execFile } from 'node:child_process'
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test, vi } from 'vitest'
import { BuilderStage } from '#test/support/builder-stage.ts'
import { call, digestOf, RegistryStage } from '#test/support/registry-stage.ts'

const run = promisify(execFile)

const noMounts = process.getuid?.() === 0 && process.platform === 'linux' ? null : 'only root can mount a small disk'
if (noMounts !== null) console.warn(`skipped: ${noMounts}`)

test.skipIf(noMounts !== null)('a disk that gets full is told of, and survived', async () => {
  const small = await mkdtemp(join(tmpdir(), 'full-'))
  await run('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', small])
  try {
    vi.stubEnv('TMPDIR', small)
    await using stage = await BuilderStage.start()
    await using registry = await RegistryStage.start()
    vi.unstubAllEnvs()
    const { controller } = stage
    const person = await stage.person()
    const app = await controller.app(person.token, 'shop')
    await controller.app(person.token, 'other')
    await controller.call('POST', `/v2/apps/${app}/settings/`, { token: person.token, body: { routable: false } })
    const procfile = 'worker: exec sleep 1000\n'
    const path = await person.repository({ 'build.sh': 'true', Procfile: procfile })
    expect(await person.push(path, app)).toMatchObject({ code: 0 })
    await person.commit(path, { more: 'x'.repeat(1000) })

    const fill = join(small, 'fill')
    /** All but about so many octets. */
    const leave = async (octets: number): Promise<void> => {
      await rm(fill, { force: true })
      const { bavail, bsize } = await statfs(small)
      await writeFile(fill, Buffer.alloc(bavail * bsize - octets)).catch(() => {})
    }
    const config = (value: string) =>
      controller.call('POST', `/v2/apps/${app}/config/`, { token: person.token, body: { values: { A: value } } })
    const upload = () => {
      const blob = Buffer.alloc(300_000, 1)
      return call(registry.port, 'POST', `/v2/shop/blobs/uploads/?digest=${digestOf(blob)}`, blob)
    }

    await leave(0)
    const detail = 'The disk of the platform is full: nothing can be changed until there is room.'
    // Several, as what there is of the journal has room for some.
    let last = await config('0')
    for (let at = 1; at < 50 && last.status !== 507; at++) last = await config(`${at} ${'x'.repeat(9000)}`)
    expect([last.status, last.body]).toEqual([507, { detail }])
    expect((await config('x'.repeat(9000))).status).toBe(507)
    expect((await controller.call('GET', `/v2/apps/${app}/`, { token: person.token })).status).toBe(200)
    expect(await upload()).toMatchObject({ status: 507, code: 'STORE_FULL' })
    // Pulls go on, and nothing is to be restarted: what looks after the two leaves them alone.
    const probes = [
      [registry.registry.adminPort, '/readiness'] as const,
      [stage.builder.healthPort, '/healthz'] as const,
    ]
    for (const [port, path] of probes) expect((await call(port, 'GET', path)).status).toBe(200)
    for (const name of [app, 'other']) {
      const pushed = await person.push(path, name)
      expect(pushed.code).not.toBe(0)
      expect(pushed.err).toContain("The builder's disk is full: nothing can be pushed until there is room")
    }
    expect(controller.log.filter(({ status }) => status === 507)).toMatchObject([
      { level: 'error', error: `${detail} (database or disk is full)` },
    ])
    const told = stage.log.filter(({ message }) => message === 'the disk is full')
    expect(told).toMatchObject([
      { app, directory: expect.stringContaining(small) },
      { app: 'other', directory: expect.stringContaining(small) },
    ])
    expect(stage.log.filter(({ message }) => message === 'a command failed')).toEqual([])

    await rm(fill)
    expect((await config('again')).status).toBe(201)
    expect((await upload()).status).toBe(201)
    for (const name of [app, 'other']) expect(await person.push(path, name)).toMatchObject({ code: 0 })
  } finally {
    vi.unstubAllEnvs()
    await run('umount', ['-l', small])
    await rm(small, { recursive: true })
  }
})
