// How changes come into force, and what the rest of the platform counts on (contract section 15).

import { expect } from 'vitest'
import { get } from '#test/support/app.ts'
import { contract, type Row } from './contract.ts'
import { app, secret } from './given.ts'

const routable = 'router.deis.io/routable'

const changes: readonly Row[] = [
  {
    row: '§15.1 a Service comes and goes',
    steps: [
      { request: { host: 'come.test' }, expect: { status: 404 } },
      { change: [app('c/come', 'come.test')], request: { host: 'come.test' }, expect: { status: 200, app: 'c/come' } },
      { gone: ['Service/c/come'], request: { host: 'come.test' }, expect: { status: 404 } },
    ],
  },
  {
    row: '§15.1 a pod moves',
    given: [app('c/moves', 'moves.test')],
    run: async stage => {
      const { port } = await stage.extraPod('c/moves')
      await stage.change([], ['EndpointSlice/c/moves-0'])
      await stage.addEndpoint('c/moves', port)
      const client = await stage.connect('http')
      await client.send(get('moves.test', '/', 'User-Agent: moved'))
      expect((await client.response()).status).toBe(200)
      expect((await stage.logLine('"moved"')).split(' - ')[10]).toBe(`127.0.0.1:${port}`)
    },
  },
  {
    row: '§15.1 a setting',
    steps: [
      { request: { host: 'still.test' }, expect: { status: 200, fields: { 'x-request-id': null } } },
      {
        settings: { requestIDs: 'true' },
        request: { host: 'still.test' },
        expect: { status: 200, fields: { 'x-request-id': /./ } },
      },
    ],
  },
  {
    row: '§15.2 a manifest that is none any more',
    run: async stage => {
      await stage.write('broken.yaml', 'a: [')
      // The next change is read after it.
      await stage.change([app('c/after', 'after.test')])
      for (const host of ['still.test', 'after.test']) {
        const client = await stage.connect('http')
        await client.send(get(host))
        expect((await client.response()).status).toBe(200)
      }
      expect((await stage.problems()).map(({ code }) => code)).toContain('invalid-manifest')
      await stage.remove('broken.yaml')
    },
  },
  {
    row: '§15.3 a WebSocket, a download, an idle connection',
    given: [
      app('k/socket', 'socket.test', { answer: { kind: 'by hand' } }),
      app('k/download', 'download.test', { answer: { kind: 'by hand' } }),
    ],
    run: async stage => {
      const idle = await stage.connect('http')
      await idle.send(get('still.test'))
      await idle.response()
      const socket = await stage.connect('http')
      await socket.send(get('socket.test', '/', 'Connection: Upgrade', 'Upgrade: websocket'))
      const far = await stage.rawPod('k/socket')
      await far.head()
      await far.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      await socket.head()
      const download = await stage.connect('http')
      await download.send(get('download.test'))
      const source = await stage.rawPod('k/download')
      await source.head()
      await source.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst')
      await download.head()
      await download.queue.take(5)

      await stage.change([app('k/new', 'new.test')], ['Service/k/socket', 'Service/k/download'])
      await stage.settings({ requestIDs: 'true', 'ssl.enforce': 'false' })

      await socket.send('ping')
      expect((await far.queue.take(4)).toString()).toBe('ping')
      await source.send('after')
      expect((await download.queue.take(5)).toString()).toBe('after')
      await idle.send(get('new.test'))
      expect((await idle.response()).status).toBe(200)
    },
  },
  {
    row: '§15.4 the probe after a first deploy',
    steps: [
      { request: { host: 'fresh.192.0.2.80.nip.io' }, expect: { status: 404 } },
      {
        change: [app('fresh/fresh', 'fresh', { pods: 'none' })],
        request: { host: 'fresh.192.0.2.80.nip.io' },
        expect: { status: 503 },
      },
      {
        change: [app('fresh/fresh', 'fresh')],
        request: { host: 'fresh.192.0.2.80.nip.io' },
        expect: { status: 200, app: 'fresh/fresh', log: { 1: 'fresh' } },
      },
    ],
  },
  {
    row: '§15.5 an app as the controller writes it',
    given: [
      app(
        'shop/shop-web',
        {
          domains: 'shop,www.shop.test',
          certificates: 'www.shop.test:shop-cert',
          whitelist: '127.0.0.1,10.1.0.0/16',
          maintenance: 'False',
          'ssl.enforce': 'True',
          connectTimeout: '10',
          tcpTimeout: '1200',
        },
        { labels: { app: 'shop' }, ports: [{ name: 'http', port: 80, targetPort: 5000, protocol: 'TCP' }] },
      ),
      secret('shop/shop-cert-cert', 'www.shop.test'),
    ],
    steps: [
      { request: { host: 'www.shop.test' }, expect: { status: 301, problem: { of: 'shop/shop-web', says: null } } },
      {
        request: { host: 'www.shop.test', tls: 'www.shop.test' },
        expect: { status: 200, certificate: 'www.shop.test', log: { 1: 'shop' } },
      },
    ],
  },
  {
    row: '§15.5 emptied keys that the controller leaves behind',
    given: [
      app('left/web', { domains: 'left.test', certificates: '', whitelist: '', maintenance: 'false' }),
      app('left/gone', { domains: '', certificates: '' }),
    ],
    steps: [
      { request: { host: 'left.test' }, expect: { status: 200, problem: { of: 'left/web', says: null } } },
      { expect: { problem: { of: 'left/gone', says: null } } },
    ],
  },
  {
    row: '§15.5 the controller itself',
    given: [app('deis/deis-controller', { domains: 'deis', connectTimeout: '10', tcpTimeout: '1200' })],
    request: { host: 'deis.192.0.2.80.nip.io', target: '/v2/' },
    expect: { status: 200, app: 'deis/deis-controller', log: { 1: 'deis/deis-controller' } },
  },
  {
    row: '§15.6 routed',
    given: [app('s/app', 'suite.test')],
    request: { host: 'suite.test' },
    expect: { status: 200 },
  },
  {
    row: '§15.6 each thing that a user can do to an app, and undo',
    steps: [
      { change: [app('s/app', 'suite.test,second.test')], request: { host: 'second.test' }, expect: { status: 200 } },
      { change: [app('s/app', 'suite.test')], request: { host: 'second.test' }, expect: { status: 404 } },
      {
        change: [app('s/app', 'suite.test', { labels: { [routable]: 'false' } })],
        request: { host: 'suite.test' },
        expect: { status: 404 },
      },
      { change: [app('s/app', 'suite.test')], request: { host: 'suite.test' }, expect: { status: 200 } },
      {
        change: [app('s/app', 'suite.test', { pods: 'none' })],
        request: { host: 'suite.test' },
        expect: { status: 503 },
      },
      { change: [app('s/app', 'suite.test')], request: { host: 'suite.test' }, expect: { status: 200 } },
      {
        change: [app('s/app', { domains: 'suite.test', maintenance: 'True' })],
        request: { host: 'suite.test' },
        expect: { status: 503 },
      },
      {
        change: [app('s/app', { domains: 'suite.test', maintenance: 'False' })],
        request: { host: 'suite.test' },
        expect: { status: 200 },
      },
      {
        change: [app('s/app', { domains: 'suite.test', whitelist: '1.2.3.4' })],
        request: { host: 'suite.test' },
        expect: { status: 403 },
      },
      {
        change: [app('s/app', { domains: 'suite.test', whitelist: '' })],
        request: { host: 'suite.test' },
        expect: { status: 200 },
      },
      {
        change: [app('s/app', { domains: 'suite.test', 'ssl.enforce': 'True' })],
        request: { host: 'suite.test' },
        expect: { status: 301 },
      },
      {
        change: [app('s/app', { domains: 'suite.test', 'ssl.enforce': 'False' })],
        request: { host: 'suite.test' },
        expect: { status: 200 },
      },
    ],
  },
]

contract([{ name: 'changes', given: [app('c/still', 'still.test')], rows: changes }])
