// Pushes that are too much, broken, or meant to get out of their directory.

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { lstat, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { defaultGitLimits } from '#builder/git/git.ts'
import { pktLine } from '#builder/git/pkt-line.ts'
import { PushGuard } from '#builder/git/push-guard.ts'
import { defaultSourceLimits, unpack } from '#builder/git/source.ts'
import { BuilderStage, ended } from '#test/support/builder-stage.ts'

const files = { 'build.sh': ':', Procfile: 'worker: true\n' }

// More than what git takes at once (`core.bigFileThreshold`, 8 MB): it passes it on in pieces.
test('a pack of 10 MB passes; one that is too large, or of too many objects, does not', {
  timeout: 60_000,
}, async () => {
  const git = { ...defaultGitLimits, packSize: 12 * 2 ** 20, objects: 200, refs: 3 }
  await using stage = await BuilderStage.start({ config: { git } })
  const alice = await stage.person()
  await stage.controller.app(alice.token, 'shop')
  const path = await alice.repository(files)
  await writeFile(join(path, 'large'), randomBytes(10 * 2 ** 20))
  await alice.commit(path, {})
  expect((await alice.push(path, 'shop')).code).toBe(0)
  await writeFile(join(path, 'large'), randomBytes(14 * 2 ** 20))
  await alice.commit(path, {})
  const large = await alice.push(path, 'shop')
  expect(large.code).not.toBe(0)
  expect(large.err).toContain('exceeds maximum allowed size')
  await alice.git(path, 'reset', '--quiet', '--hard', 'HEAD~1')
  await alice.commit(path, Object.fromEntries(Array.from({ length: 250 }, (_, n) => [`file${n}`, `${n}`])))
  const many = await alice.push(path, 'shop')
  expect(many.code).not.toBe(0)
  expect(many.err).toContain('too many objects in one push')
  await alice.git(path, 'reset', '--quiet', '--hard', 'HEAD~1')
  for (const name of ['a', 'b', 'c', 'd']) await alice.git(path, 'branch', name)
  expect((await alice.push(path, 'shop', 'a', 'b', 'c', 'd')).err).toContain('too many branches and tags in one push')
  // Nothing is left of them.
  const objects = await readdir(join(stage.directory, 'work-1/repositories/shop.git/objects'))
  expect(objects.filter(name => name.startsWith('tmp_objdir'))).toEqual([])
  await alice.commit(path, { more: 'x' })
  expect((await alice.push(path, 'shop')).code).toBe(0)
})

test('a corrupt pack and a push that breaks off leave nothing, and the app can be pushed', async () => {
  await using stage = await BuilderStage.start()
  const alice = await stage.person()
  await stage.controller.app(alice.token, 'shop')
  const command = pktLine(`${'0'.repeat(40)} ${'1'.repeat(40)} refs/heads/master\0 report-status\n`)
  const inputs = [
    Buffer.concat([Buffer.from(`${command}0000PACK`), Buffer.from([0, 0, 0, 2, 0, 0, 0, 1]), randomBytes(500)]),
    Buffer.from(`${command}0000PACK`),
    Buffer.from('zzzz'),
    Buffer.alloc(0),
  ]
  for (const input of inputs) {
    const child = alice.startSsh("git-receive-pack '/shop.git'")
    child.stdin!.on('error', () => {})
    child.stdin!.write(input)
    const { code, out } = await ended(child)
    expect(out).not.toContain('ok refs/heads/master')
    if (input.length > 0) expect(code === 0 && !out.includes('unpack ')).toBe(false)
  }
  expect(stage.strategy.requests).toEqual([])
  const path = await alice.repository(files)
  for (;;) {
    const { code, err } = await alice.push(path, 'shop')
    if (err.includes('Another git push')) continue
    expect(code).toBe(0)
    break
  }
})

test('export-ignore holds; links that lead out are left out, and said so', async () => {
  await using stage = await BuilderStage.start()
  const alice = await stage.person()
  await stage.controller.app(alice.token, 'shop')
  const path = await alice.repository({
    ...files,
    '.gitattributes': 'secret.txt export-ignore\n',
    'secret.txt': 'x',
    'a/b/c.txt': 'x',
    'build.sh': 'find . | sort | tr "\\n" " "; test ! -x Procfile && test -x build.sh',
  })
  const links = { 'in.txt': 'a/b/c.txt', 'a/up': '../Procfile', out: '/etc/passwd', 'a/out': '../../x', root: 'a/..' }
  for (const [name, target] of Object.entries(links)) await symlink(target, join(path, name))
  // Each of its steps stays inside; where they lead does not.
  await symlink('root/../../etc', join(path, 'steps'))
  await alice.commit(path, {})
  const pushed = await alice.push(path, 'shop')
  expect(pushed.code).toBe(0)
  for (const name of ['out', 'a/out', 'steps'])
    expect(pushed.err).toContain(`Left out, as it leads out of the source: "${name}"`)
  expect(pushed.err).toContain('. ./.gitattributes ./Procfile ./a ./a/b ./a/b/c.txt ./a/up ./build.sh ./in.txt ./root')
})

const tricks: readonly (readonly [name: string, make: string, said: RegExp])[] = [
  ['a name upwards', 'add("../x")', /name that cannot be used/],
  ['an absolute name', 'add("/tmp/x")', /name that cannot be used/],
  ['.git', 'add(".GIT/config")', /name that cannot be used/],
  ['a file twice', 'add("x"); add("x")', /exclude each other|EEXIST/],
  ['a file through a link', 'link("d", "/tmp"); add("d/x")', /exclude each other|EEXIST/],
  ['a device', 'add("x", tarfile.CHRTYPE)', /an entry of type/],
  ['a hard link', 'add("x", tarfile.LNKTYPE)', /an entry of type/],
  ['too many files', '[add("f%d" % n) for n in range(200)]', /more than 100 files/],
  ['a name in Latin-1', 'raw(b"caf\\xe9")', /a name is no UTF-8/],
  ['a link to nothing at all', 'link("x", "")', /a link leads to what can be no name/],
  ['a link that is longer than any path', 'link("x", "y" * 5000)', /a link leads to what can be no name/],
  ['too large', 'add("x", size=3000)', /more than 2000 octets/],
]

const long = `${'d'.repeat(200)}/${'é'.repeat(120)}`
const longNames = `add(${JSON.stringify(long)}); link("l", ${JSON.stringify(long)})`

/** By what makes them. One run of the program makes all: its start takes longer. */
const archives = new Map<string, Buffer>()
beforeAll(() => {
  const program = `
import base64, io, os, sys, tarfile
def add(name, type=tarfile.REGTYPE, size=1):
    info = tarfile.TarInfo(name); info.type = type; info.size = size if type == tarfile.REGTYPE else 0
    out.addfile(info, io.BytesIO(b"x" * size))
def link(name, target):
    info = tarfile.TarInfo(name); info.type = tarfile.SYMTYPE; info.linkname = target; out.addfile(info)
def raw(name):
    file.write(tarfile.TarInfo(os.fsdecode(name)).tobuf(tarfile.USTAR_FORMAT, "utf-8", "surrogateescape"))
for make in sys.argv[1:]:
    file = io.BytesIO()
    out = tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT)
    exec(make)
    out.close()
    print(base64.b64encode(file.getvalue()).decode())`
  const makes = [...tricks.map(([, make]) => make), longNames]
  const lines = execFileSync('python3', ['-c', program, ...makes], { encoding: 'utf8' }).split('\n')
  for (const [index, make] of makes.entries()) archives.set(make, Buffer.from(lines[index]!, 'base64'))
})

async function* pieces(octets: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < octets.length; at += 97) yield octets.subarray(at, at + 97)
}

for (const [name, make, said] of tricks)
  test(`unpacking: ${name}`, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'builder-unpack-'))
    try {
      const octets = archives.get(make)!
      const target = join(directory, 'source')
      await expect(unpack(pieces(octets), target, { entries: 100, size: 2000 })).rejects.toThrow(said)
      expect(await readdir(directory)).toEqual(['source'])
    } finally {
      await rm(directory, { recursive: true })
    }
  })

test('unpacking: long names, and an archive that breaks off', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'builder-unpack-'))
  try {
    const octets = archives.get(longNames)!
    expect(await unpack(pieces(octets), join(directory, 'a'), defaultSourceLimits)).toEqual([])
    expect((await lstat(join(directory, 'a', long))).size).toBe(1)
    await expect(unpack(pieces(octets.subarray(0, 700)), join(directory, 'b'), defaultSourceLimits)).rejects.toThrow(
      'ends too early',
    )
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('what arrives in single octets is judged as what arrives at once', () => {
  const command = pktLine(`${'0'.repeat(40)} ${'1'.repeat(40)} refs/heads/a\n`)
  // Of a shallow clone; it has as many as its history has branches where it ends.
  const ends = pktLine(`shallow ${'2'.repeat(40)}`).repeat(3)
  const whole = Buffer.concat([
    Buffer.from(`${ends}${command}${command}0000PACK`),
    Buffer.from([0, 0, 0, 2, 0, 0, 1, 0]),
  ])
  const judge = (refs: number, objects: number, size: number): string | null => {
    const guard = new PushGuard({ refs, objects })
    for (let at = 0; at < whole.length; at += size) {
      const fault = guard.read(whole.subarray(at, at + size))
      if (fault !== null) return fault
    }
    return null
  }
  for (const size of [1, 7, whole.length]) {
    expect(judge(2, 256, size)).toBe(null)
    expect(judge(1, 256, size)).toBe('refs')
    expect(judge(2, 255, size)).toBe('objects')
  }
})
