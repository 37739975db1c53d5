// What the distribution specification says of a registry, row by row; each names its section. For every store that it can
// keep its things in.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { text as textOf } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RegistryConfig } from '#registry/config.ts'
import type { Upload } from '#store/store.ts'
import { digestOf, imageOf, ociIndex, ociManifest, type RegistryStage, type Reply } from './registry-stage.ts'

/** `start`: a registry on an empty place. */
export function registrySuite(start: (config?: Partial<RegistryConfig>) => Promise<RegistryStage>): void {
  let stage: RegistryStage
  beforeAll(async () => {
    stage = await start()
  })
  afterAll(() => stage[Symbol.asyncDispose]())

  const absent = digestOf('nobody has this')

  /** The one to which something was added last. */
  async function latestUpload(): Promise<Upload> {
    const all = await Array.fromAsync(stage.store.uploads())
    return all.toSorted((one, other) => other.modified.getTime() - one.modified.getTime())[0]!
  }

  async function uploadIn(repository: string): Promise<string> {
    const { status, headers } = await stage.call('POST', `/v2/${repository}/blobs/uploads/`)
    expect(status).toBe(202)
    return headers.location!
  }

  describe('Determining support, and paths', () => {
    const rows: [section: string, method: string, path: string, status: number, code: string | null][] = [
      ['Determining Support: the root', 'GET', '/v2/', 200, null],
      ['Endpoints: nothing else is there', 'GET', '/v1/', 404, 'NOT_FOUND'],
      ['Pulling manifests: an upper-case name', 'GET', '/v2/Foo/manifests/a', 400, 'NAME_INVALID'],
      ['Pulling manifests: a name that climbs', 'GET', '/v2/a/%2e%2e/b/manifests/a', 400, 'NAME_INVALID'],
      ['Pulling manifests: a separator too many', 'GET', '/v2/a..b/tags/list', 400, 'NAME_INVALID'],
      ['Pulling manifests: not there', 'GET', '/v2/rows/manifests/absent', 404, 'MANIFEST_UNKNOWN'],
      ['Pulling manifests: what no tag can be', 'GET', '/v2/rows/manifests/.INVALID', 404, 'MANIFEST_UNKNOWN'],
      ['Pulling manifests: by digest', 'GET', `/v2/rows/manifests/${absent}`, 404, 'MANIFEST_UNKNOWN'],
      ['Pulling blobs: not there', 'GET', `/v2/rows/blobs/${absent}`, 404, 'BLOB_UNKNOWN'],
      ['Pulling blobs: no digest', 'GET', '/v2/rows/blobs/sha256:abc', 400, 'DIGEST_INVALID'],
      [
        'Pulling blobs: another algorithm',
        'GET',
        '/v2/rows/blobs/md5:d41d8cd98f00b204e9800998ecf8427e',
        400,
        'DIGEST_INVALID',
      ],
      ['Content discovery: no repository', 'GET', '/v2/absent/tags/list', 404, 'NAME_UNKNOWN'],
      ['Content discovery: n is a number', 'GET', '/v2/rows/tags/list?n=x', 400, 'PAGINATION_NUMBER_INVALID'],
      ['Content management: no such tag', 'DELETE', '/v2/rows/manifests/absent', 404, 'MANIFEST_UNKNOWN'],
      ['Content management: no such blob', 'DELETE', `/v2/rows/blobs/${absent}`, 404, 'BLOB_UNKNOWN'],
      [
        'Pushing blobs: no such upload',
        'GET',
        `/v2/rows/blobs/uploads/${crypto.randomUUID()}`,
        404,
        'BLOB_UPLOAD_UNKNOWN',
      ],
      ['Pushing blobs: nothing an upload is called', 'GET', '/v2/rows/blobs/uploads/../x', 404, 'BLOB_UPLOAD_UNKNOWN'],
      ['Endpoints: methods', 'PUT', `/v2/rows/blobs/${absent}`, 405, 'UNSUPPORTED'],
    ]
    test.for(rows)('%s', async ([section, method, path, status, code]) => {
      const reply = await stage.call(method, path)
      if (section.includes('nothing an upload')) expect(reply.status).toBeGreaterThanOrEqual(400)
      else expect([reply.status, reply.code]).toEqual([status, code])
      expect(reply.headers['docker-distribution-api-version']).toBe('registry/2.0')
    })
  })

  describe('Pushing blobs', () => {
    for (const algorithm of ['sha256', 'sha512'] as const) {
      test(`Monolithically, one POST, ${algorithm}`, async () => {
        const content = randomBytes(70_000)
        const digest = digestOf(content, algorithm)
        const reply = await stage.call('POST', `/v2/push/${algorithm}/blobs/uploads/?digest=${digest}`, content)
        expect([reply.status, reply.headers.location]).toEqual([201, `/v2/push/${algorithm}/blobs/${digest}`])
        const pulled = await stage.call('GET', reply.headers.location!)
        expect([pulled.status, pulled.body.equals(content), pulled.headers['docker-content-digest']]).toEqual([
          200,
          true,
          digest,
        ])
      })

      test(`In chunks, ${algorithm}, over a restart of the registry`, async () => {
        const content = randomBytes(100_000)
        const digest = digestOf(content, algorithm)
        const location = await uploadIn('push/chunks')
        const first = await stage.call('PATCH', location, content.subarray(0, 40_000), { 'content-range': '0-39999' })
        expect([first.status, first.headers.range]).toEqual([202, '0-39999'])
        await stage.restart()
        const state = await stage.call('GET', location)
        expect([state.status, state.headers.range]).toEqual([204, '0-39999'])
        const wrong = await stage.call('PATCH', location, content.subarray(50_000), { 'content-range': '50000-99999' })
        expect([wrong.status, wrong.headers.range, wrong.headers.location]).toEqual([416, '0-39999', location])
        const second = await stage.call('PATCH', location, content.subarray(40_000, 90_000), {
          'content-range': '40000-89999',
        })
        expect([second.status, second.headers.range]).toEqual([202, '0-89999'])
        const last = await stage.call('PUT', `${location}?digest=${digest}`, content.subarray(90_000))
        expect(last.status).toBe(201)
        expect((await stage.call('GET', last.headers.location!)).body.equals(content)).toBe(true)
        expect((await stage.call('GET', location)).code).toBe('BLOB_UPLOAD_UNKNOWN')
      })
    }

    test('POST, then PUT with all of it; nothing of the upload is left', async () => {
      const location = await uploadIn('push/put')
      const { status } = await stage.call('PUT', `${location}?digest=${digestOf('abc')}`, 'abc')
      expect(status).toBe(201)
      expect(await stage.keys('uploads/')).toEqual([])
    })

    test('a blob of nothing', async () => {
      const location = await uploadIn('push/empty')
      expect((await stage.call('PUT', `${location}?digest=${digestOf('')}`, '')).status).toBe(201)
      expect((await stage.call('GET', `/v2/push/empty/blobs/${digestOf('')}`)).headers['content-length']).toBe('0')
    })

    const wrongs: [name: string, push: (location: string, digest: string) => Promise<Reply>][] = [
      ['one POST', (_, digest) => stage.call('POST', `/v2/push/wrong/blobs/uploads/?digest=${digest}`, 'other')],
      ['PUT', (location, digest) => stage.call('PUT', `${location}?digest=${digest}`, 'other')],
      [
        'PATCH and PUT',
        async (location, digest) => {
          expect((await stage.call('PATCH', location, 'other')).status).toBe(202)
          return stage.call('PUT', `${location}?digest=${digest}`)
        },
      ],
    ]
    test.for(wrongs)('a wrong digest keeps nothing: %s', async ([name, push]) => {
      const digest = digestOf(`wanted ${name}`)
      const reply = await push(await uploadIn('push/wrong'), digest)
      expect([reply.status, reply.code]).toEqual([400, 'DIGEST_INVALID'])
      expect((await stage.call('HEAD', `/v2/push/wrong/blobs/${digest}`)).status).toBe(404)
      const kept = await stage.keys()
      expect(kept.filter(key => key.startsWith('uploads/') || key.includes(digest.slice(7)))).toEqual([])
    })

    test('a connection that breaks in the middle keeps nothing', async () => {
      const digest = digestOf('x'.repeat(100))
      const socket = connect(stage.port, '127.0.0.1')
      socket.write(
        `POST /v2/push/cut/blobs/uploads/?digest=${digest} HTTP/1.1\r\nHost: r\r\nContent-Length: 100\r\n\r\nxxx`,
      )
      const before = stage.lines.length
      socket.end()
      socket.resume()
      await once(socket, 'close')
      await expect.poll(() => stage.lines.length).toBeGreaterThan(before)
      expect(stage.lines.at(-1)).toContain('"status":499')
      expect((await stage.keys('blobs/')).filter(key => key.includes(digest.slice(7)))).toEqual([])
    })

    test('what another process has added meanwhile is not overwritten: the client is told where to go on', async () => {
      const content = randomBytes(9000)
      const digest = digestOf(content)
      const location = await uploadIn('push/shared')
      await stage.call('PATCH', location, content.subarray(0, 3000))
      const upload = await latestUpload()
      await stage.store.appendUpload(upload.id, 3000, Readable.from([content.subarray(3000, 6000)]))
      const late = await stage.call('PATCH', location, content.subarray(3000))
      expect([late.status, late.code]).toEqual([416, 'RANGE_INVALID'])
      expect([late.headers.range, late.headers.location]).toEqual(['0-5999', location])
      const last = await stage.call('PUT', `${location}?digest=${digest}`, content.subarray(6000))
      expect(last.status).toBe(201)
      expect((await stage.call('GET', last.headers.location!)).body.equals(content)).toBe(true)
    })

    test('cancel', async () => {
      const location = await uploadIn('push/cancel')
      await stage.call('PATCH', location, 'abc')
      expect((await stage.call('DELETE', location)).status).toBe(204)
      expect((await stage.call('GET', location)).code).toBe('BLOB_UPLOAD_UNKNOWN')
      expect(await stage.keys('uploads/')).toEqual([])
    })

    test('an upload belongs to its repository', async () => {
      const location = await uploadIn('push/mine')
      expect((await stage.call('GET', location.replace('mine', 'yours'))).code).toBe('BLOB_UPLOAD_UNKNOWN')
    })

    test('Content-Range and Content-Length differ', async () => {
      const location = await uploadIn('push/sizes')
      expect((await stage.call('PATCH', location, 'abc', { 'content-range': '0-9' })).code).toBe('SIZE_INVALID')
    })

    const mounts: [name: string, query: string, status: number][] = [
      ['Mounting from a repository', '&from=mount/source', 201],
      ['Mounting from anywhere', '', 201],
      ['Mounting from one that has not got it', '&from=mount/empty', 202],
      ['Mounting from what is no name', '&from=../x', 202],
    ]
    test.for(mounts)('%s', async ([name, query, status]) => {
      const digest = await stage.pushBlob('mount/source', name)
      const target = `mount/target${mounts.findIndex(([each]) => each === name)}`
      const reply = await stage.call('POST', `/v2/${target}/blobs/uploads/?mount=${digest}${query}`)
      expect(reply.status).toBe(status)
      const { status: seen } = await stage.call('HEAD', `/v2/${target}/blobs/${digest}`)
      expect(seen).toBe(status === 201 ? 200 : 404)
    })
  })

  describe('Pulling blobs', () => {
    const content = 'abcdefghij'
    const path = `/v2/pull/blobs/${digestOf(content)}`
    beforeAll(() => stage.pushBlob('pull', content))

    const ranges: [range: string, status: number, body: string, field: string | undefined][] = [
      ['bytes=0-3', 206, 'abcd', 'bytes 0-3/10'],
      ['bytes=8-', 206, 'ij', 'bytes 8-9/10'],
      ['bytes=-3', 206, 'hij', 'bytes 7-9/10'],
      ['bytes=5-100', 206, 'fghij', 'bytes 5-9/10'],
      ['bytes=10-', 416, '', 'bytes */10'],
      ['bytes=3-1', 200, content, undefined],
      ['bytes=0-1,3-4', 200, content, undefined],
      ['lines=1-2', 200, content, undefined],
    ]
    test.for(ranges)('%s gives %i', async ([range, status, body, field]) => {
      const reply = await stage.call('GET', path, null, { range })
      expect([reply.status, reply.body.toString(), reply.headers['content-range']]).toEqual([status, body, field])
    })

    test('a blob that is known needs no body', async () => {
      const { headers } = await stage.call('HEAD', path)
      expect((await stage.call('GET', path, null, { 'if-none-match': headers.etag! })).status).toBe(304)
    })

    test('only through a repository that has it', async () => {
      expect((await stage.call('GET', path.replace('pull', 'elsewhere'))).code).toBe('BLOB_UNKNOWN')
    })
  })

  describe('Pushing manifests', () => {
    const [config, layer] = ['config', 'layer']
    const image = imageOf(config, [layer])
    beforeAll(async () => {
      await stage.pushBlob('m', config)
      await stage.pushBlob('m', layer)
    })

    const refused: [name: string, text: string, type: string, code: string][] = [
      ['a blob that is not there', imageOf(config, ['absent']), ociManifest, 'MANIFEST_BLOB_UNKNOWN'],
      ['no JSON', '{', ociManifest, 'MANIFEST_INVALID'],
      ['a list', '[]', ociManifest, 'MANIFEST_INVALID'],
      ['no layers', JSON.stringify({ ...JSON.parse(image), layers: undefined }), ociManifest, 'MANIFEST_INVALID'],
      ['a digest of nothing', image.replace(digestOf(layer), 'sha256:x'), ociManifest, 'MANIFEST_INVALID'],
      ['another type than it says', image, ociIndex, 'MANIFEST_INVALID'],
      ['a type that nobody knows', image.replace(ociManifest, 'text/plain'), 'text/plain', 'MANIFEST_INVALID'],
      ['an image and an index at once', imageOf(config, [layer], { manifests: [] }), ociManifest, 'MANIFEST_INVALID'],
      [
        'schema 1',
        JSON.stringify({ schemaVersion: 1, name: 'm', tag: 't', fsLayers: [] }),
        'application/vnd.docker.distribution.manifest.v1+prettyjws',
        'MANIFEST_INVALID',
      ],
      [
        'an index of what is not there',
        JSON.stringify({
          schemaVersion: 2,
          mediaType: ociIndex,
          manifests: [{ mediaType: ociManifest, digest: absent, size: 1 }],
        }),
        ociIndex,
        'MANIFEST_BLOB_UNKNOWN',
      ],
    ]
    test.for(refused)('refused, and not kept: %s', async ([, text, type, code]) => {
      expect((await stage.putManifest('m', 'refused', text, type)).code).toBe(code)
      expect((await stage.call('GET', '/v2/m/manifests/refused')).code).toBe('MANIFEST_UNKNOWN')
    })

    test('more than 4 MB', async () => {
      const reply = await stage.putManifest('m', 'large', ' '.repeat(4 * 1024 * 1024 + 1))
      expect([reply.status, reply.code]).toEqual([413, 'MANIFEST_TOO_LARGE'])
    })

    test('by tag, by digest, under a digest of another content', async () => {
      const pushed = await stage.putManifest('m', 'one', image)
      const digest = digestOf(image)
      expect([pushed.status, pushed.headers['docker-content-digest']]).toEqual([201, digest])
      const wide = digestOf(image, 'sha512')
      expect((await stage.putManifest('m', wide, image)).status).toBe(201)
      for (const reference of ['one', digest, wide]) {
        const { body, headers } = await stage.call('GET', `/v2/m/manifests/${reference}`)
        expect([body.toString(), headers['content-type']]).toEqual([image, ociManifest])
      }
      expect((await stage.putManifest('m', absent, image)).code).toBe('DIGEST_INVALID')
      expect((await stage.putManifest('m', 'bad tag'.replace(' ', '%20'), image)).code).toBe('TAG_INVALID')
    })

    test('an index, with its children', async () => {
      const { digest, text } = await stage.pushImage('m', null)
      const child = { mediaType: ociManifest, digest, size: text.length }
      const index = JSON.stringify({ schemaVersion: 2, mediaType: ociIndex, manifests: [child] })
      expect((await stage.putManifest('m', 'index', index, ociIndex)).status).toBe(201)
      expect((await stage.call('HEAD', '/v2/m/manifests/index')).headers['content-type']).toBe(ociIndex)
    })
  })

  describe('Content discovery', () => {
    test('tags and repositories, a page at a time', async () => {
      for (const tag of ['b', 'a', 'c']) await stage.pushImage('list/a', tag)
      await stage.pushImage('list/b', 'latest')
      const page = await stage.call('GET', '/v2/list/a/tags/list?n=2')
      expect(JSON.parse(page.body.toString())).toEqual({ name: 'list/a', tags: ['a', 'b'] })
      expect(page.headers.link).toBe('</v2/list/a/tags/list?n=2&last=b>; rel="next"')
      const next = await stage.call('GET', '/v2/list/a/tags/list?n=2&last=b')
      expect([JSON.parse(next.body.toString()).tags, next.headers.link]).toEqual([['c'], undefined])
      const none = await stage.call('GET', '/v2/list/a/tags/list?n=0')
      expect([JSON.parse(none.body.toString()).tags, none.headers.link]).toEqual([[], undefined])
      const catalog = await stage.call('GET', '/v2/_catalog?n=1&last=list/a')
      expect(JSON.parse(catalog.body.toString())).toEqual({ repositories: ['list/b'] })
    })

    test('Listing referrers, with a filter', async () => {
      const { digest: subject, text } = await stage.pushImage('refer', 'subject')
      const descriptor = { mediaType: ociManifest, digest: subject, size: text.length }
      const more = { subject: descriptor, artifactType: 'application/sbom', annotations: { a: 'b' } }
      const sbom = await stage.pushImage('refer', null, more)
      const other = await stage.pushImage('refer', null, { subject: descriptor })
      const list = async (query: string): Promise<Reply> => stage.call('GET', `/v2/refer/referrers/${subject}${query}`)
      const digests = ({ body }: Reply): string[] =>
        JSON.parse(body.toString()).manifests.map((each: { digest: string }) => each.digest)
      expect(digests(await list('')).toSorted()).toEqual([sbom.digest, other.digest].toSorted())
      const filtered = await list('?artifactType=application/sbom')
      expect([digests(filtered), filtered.headers['oci-filters-applied']]).toEqual([[sbom.digest], 'artifactType'])
      expect(JSON.parse(filtered.body.toString()).manifests[0]).toMatchObject({
        annotations: { a: 'b' },
        mediaType: ociManifest,
      })
      const again = await stage.putManifest('refer', sbom.digest, sbom.text)
      expect(again.headers['oci-subject']).toBe(subject)
      const empty = await stage.call('GET', `/v2/nobody/referrers/${absent}`)
      expect([empty.status, empty.headers['content-type'], digests(empty)]).toEqual([200, ociIndex, []])
      await stage.call('DELETE', `/v2/refer/manifests/${sbom.digest}`)
      expect(digests(await list(''))).toEqual([other.digest])
    })
  })

  describe('Content management', () => {
    test('a tag, a manifest with its tags, a blob', async () => {
      const { digest, blobs } = await stage.pushImage('delete', 'a')
      await stage.putManifest('delete', 'b', (await stage.call('GET', '/v2/delete/manifests/a')).body.toString())
      expect((await stage.call('DELETE', '/v2/delete/manifests/a')).status).toBe(202)
      expect((await stage.call('GET', '/v2/delete/manifests/a')).status).toBe(404)
      expect((await stage.call('GET', `/v2/delete/manifests/${digest}`)).status).toBe(200)
      expect((await stage.call('DELETE', `/v2/delete/manifests/${digest}`)).status).toBe(202)
      expect((await stage.call('GET', '/v2/delete/manifests/b')).status).toBe(404)
      expect(JSON.parse((await stage.call('GET', '/v2/delete/tags/list')).body.toString()).tags).toEqual([])
      expect((await stage.call('DELETE', `/v2/delete/blobs/${blobs[0]}`)).status).toBe(202)
      expect((await stage.call('GET', `/v2/delete/blobs/${blobs[0]}`)).status).toBe(404)
    })

    test('switched off', async () => {
      await using closed = await start({ deletes: false })
      const { digest } = await closed.pushImage('a', 'a')
      const reply = await closed.call('DELETE', `/v2/a/manifests/${digest}`)
      expect([reply.status, reply.code, reply.headers.allow]).toEqual([405, 'UNSUPPORTED', 'GET, HEAD, PUT'])
    })
  })

  describe('Bounds', () => {
    test('uploads under way', async () => {
      await using small = await start({ maxUploads: 2 })
      for (const status of [202, 202, 429])
        expect((await small.call('POST', '/v2/a/blobs/uploads/')).status).toBe(status)
      // Empty ones that nobody used for a minute make room.
      small.ahead = 61_000
      expect((await small.call('POST', '/v2/a/blobs/uploads/')).status).toBe(202)
    })

    test('a body that does not come', async () => {
      await using hasty = await start({ patience: 100 })
      const socket = connect(hasty.port, '127.0.0.1')
      socket.write(`POST /v2/a/blobs/uploads/?digest=${absent} HTTP/1.1\r\nHost: r\r\nContent-Length: 100\r\n\r\nxxx`)
      await textOf(socket)
      expect(await hasty.keys('blobs/')).toEqual([])
    })

    test('an answer that nobody takes', async () => {
      await using hasty = await start({ patience: 200 })
      // More than sockets hold.
      const digest = await hasty.pushBlob('a', Buffer.alloc(24 * 1024 * 1024))
      const socket = connect(hasty.port, '127.0.0.1')
      socket.pause().write(`GET /v2/a/blobs/${digest} HTTP/1.1\r\nHost: r\r\n\r\n`)
      const before = hasty.lines.length
      await expect.poll(() => hasty.lines.length, { timeout: 10_000 }).toBeGreaterThan(before)
      const { status, sent } = JSON.parse(hasty.lines.at(-1)!)
      expect(status).toBe(200)
      expect(sent).toBeLessThan(24 * 1024 * 1024)
      socket.destroy()
      // Whoever takes it gets it whole, also when the memory was somebody else's before.
      const whole = await hasty.call('GET', `/v2/a/blobs/${digest}`)
      expect(digestOf(whole.body)).toBe(digest)
    })

    test('a large body that nobody wants is answered all the same', async () => {
      const body = Buffer.alloc(3 * 1024 * 1024)
      const reply = await stage.call('PUT', `/v2/a/blobs/uploads/${crypto.randomUUID()}?digest=${absent}`, body)
      expect(reply.code).toBe('BLOB_UPLOAD_UNKNOWN')
    })

    test('a body is asked for only when it is wanted', async () => {
      const socket = connect(stage.port, '127.0.0.1')
      socket.write('PUT /v2/a/blobs/x HTTP/1.1\r\nHost: r\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n')
      const [first] = (await once(socket, 'data')) as [Buffer]
      expect(first.toString()).toMatch(/^HTTP\/1\.1 400 /)
      socket.destroy()
      await once(socket, 'close')
    })

    test('absolute locations, as a proxy says', async () => {
      await using absolute = await start({ absoluteLocations: true })
      const headers = { host: 'r.example', 'x-forwarded-proto': 'https' }
      const { headers: answered } = await absolute.call('POST', '/v2/a/blobs/uploads/', null, headers)
      expect(answered.location).toMatch(/^https:\/\/r\.example\/v2\/a\/blobs\/uploads\/[0-9a-f-]{36}$/)
    })
  })
}
