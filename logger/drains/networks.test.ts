import { expect, test } from 'vitest'
import { parseDrainUrl } from '#kit/drain-url.ts'
import { LineQueue, SharedRoom } from './line-queue.ts'
import { AllowedNetworks, parseNetwork } from './networks.ts'

const refused = [
  ...[
    '127.0.0.1',
    '127.9.9.9',
    '0.0.0.0',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
  ],
  ...[
    '100.64.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '192.0.2.1',
    '198.18.0.1',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::127.0.0.1',
  ],
  ...[
    '::ffff:a00:1',
    'fe80::1',
    'fe80::1%eth0',
    'fc00::1',
    'fd00:ec2::254',
    'ff02::1',
    'fec0::1',
    '64:ff9b::a00:1',
    '2002:a00:1::',
  ],
  ...['2001::1', '2001:db8::1', 'localhost', ''],
]
test.for(refused)('refused: %s', address => {
  expect(new AllowedNetworks([]).allows(address)).toBe(false)
})

test.for(['8.8.8.8', '172.15.0.1', '172.32.0.1', '2606:4700::1111', '::ffff:8.8.8.8'])('allowed: %s', address => {
  expect(new AllowedNetworks([]).allows(address)).toBe(true)
})

test('networks that the operator names', () => {
  const networks = new AllowedNetworks([parseNetwork('10.1.0.0/16')!, parseNetwork('fd00::/8')!])
  const allowed = ['10.1.2.3', '::ffff:10.1.2.3', 'fd12::1', '8.8.8.8'].map(address => networks.allows(address))
  expect(allowed).toEqual([true, true, true, true])
  expect(['10.2.0.1', '127.0.0.1', 'fc00::1'].map(address => networks.allows(address))).toEqual([false, false, false])
})

test('what is no network', () => {
  const texts = [
    '',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/8/8',
    'fd00::/129',
    'fd00::%1/8',
    '10.0/8',
    '::ffff:10.0.0.0/104',
    '/8',
  ]
  expect(texts.map(parseNetwork)).toEqual(texts.map(() => null))
  expect(parseNetwork('192.0.2.1')).toEqual({ address: '192.0.2.1', prefix: 32 })
})

const urls: [text: string, href: string | null][] = [
  ['syslog+tls://logs.example.com:6514', 'syslog+tls://logs.example.com:6514'],
  ['syslog+tls://Logs.Example.com./', 'syslog+tls://logs.example.com:6514'],
  ['syslog+tcp://192.0.2.1', 'syslog+tcp://192.0.2.1:514'],
  ['syslog+udp://[2001:DB8::1]:10514', 'syslog+udp://[2001:db8::1]:10514'],
  ['syslog://logs.example.com', null],
  ['https://logs.example.com', null],
  ['syslog+tls://user:secret@logs.example.com', null],
  ['syslog+tls://logs.example.com/path', null],
  ['syslog+tls://logs.example.com?x', null],
  ['syslog+tls://logs.example.com#x', null],
  ['syslog+tls://logs.example.com:0', null],
  ['syslog+tls://logs.example.com:65536', null],
  ['syslog+tls://', null],
  ['syslog+tls://a_b!c', null],
  [`syslog+tls://${'a.'.repeat(300)}x`, null],
  ['', null],
]
test.for(urls)('URL %s', ([text, href]) => {
  const url = parseDrainUrl(text)
  expect(typeof url === 'string' ? null : url.href).toBe(href)
})

test('queues are bounded, alone and together, and what could not be sent comes first again', () => {
  const room = new SharedRoom(100)
  const [one, two] = [new LineQueue(80, 20, room), new LineQueue(80, 20, room)]
  const message = Buffer.alloc(10)
  const fill = (queue: LineQueue): number => {
    let count = 0
    while (queue.push(message)) count++
    return count
  }
  expect([fill(one), fill(two), room.used]).toEqual([8, 2, 100])
  const three = new LineQueue(80, 20, room)
  expect(fill(three)).toBe(2)
  const taken = one.take(25)
  expect([taken.length, one.length, room.used]).toEqual([3, 5, 90])
  one.putBack(taken)
  one.push(Buffer.from('x'))
  expect([one.length, room.used]).toEqual([8, 120])
  expect(one.take(1)[0]).toBe(taken[0])
  expect([one.clear(), two.clear(), three.clear(), room.used]).toEqual([7, 2, 2, 0])
})
