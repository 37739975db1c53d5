import { expect, test } from 'vitest'
import { textOfLine } from '../line.ts'
import { attributionOf, type PodFacts } from './attribution.ts'

const time = Date.UTC(2016, 9, 18, 20, 29, 38)

const appPod: PodFacts = {
  namespace: 'foo',
  name: 'foo-web-845861952-nzf60',
  uid: 'u',
  labels: { heritage: 'deis', app: 'foo', type: 'web', version: 'v2' },
}
const platformPod: PodFacts = { namespace: 'deis', name: 'deis-controller-1-2', uid: 'u', labels: { app: 'x' } }

const label = (labels: Record<string, string>): PodFacts => ({ ...appPod, labels: { ...appPod.labels, ...labels } })

/** Null: the container is not read; '': the line is of no app. */
/** In the router's standard format (docs/access-log.md). */
const accessLine = (app: string) =>
  `[2016-05-31T16:56:12+00:00] - ${app} - 192.0.2.1 - - - 200 - "GET /x HTTP/1.1" - 12 - "" - "curl/8" - "foo.example.com" - 10.0.0.1:5000 - foo.example.com - 0.012 - 0.013`

const cases: [name: string, pod: PodFacts, container: string, text: string, want: string | null][] = [
  ['an app', appPod, 'foo-web', 'test message', 'foo[web.v2.nzf60]: test message'],
  ['a pod with a short name', { ...appPod, name: 'foo-run-x1' }, 'foo', 'a', 'foo[web.v2]: a'],
  ['no version', label({ version: '' }), 'foo', 'a', 'foo[web.nzf60]: a'],
  ['labels that are no words', label({ type: '', version: '' }), 'foo', 'a', 'foo[nzf60]: a'],
  ['one of another heritage', label({ heritage: 'helm' }), 'foo-web', 'a', null],
  ['without the label app', { ...appPod, labels: { heritage: 'deis' } }, 'foo-web', 'a', null],
  ['what is no app', label({ app: 'Foo_1' }), 'foo-web', 'a', null],
  ['an app in the platform', { ...appPod, namespace: 'deis' }, 'foo-web', 'a', null],
  [
    'an app that says what the controller says',
    appPod,
    'deis-controller-web',
    'INFO [bar]: a',
    'foo[web.v2.nzf60]: INFO [bar]: a',
  ],
  ['another container of the platform', platformPod, 'deis-builder', 'INFO [foo]: a', null],
  [
    'the controller',
    platformPod,
    'deis-controller',
    'INFO [foo]: admin deployed 2fd9226',
    'deis[controller]: INFO admin deployed 2fd9226',
  ],
  [
    'WARNING',
    platformPod,
    'deis-controller',
    'WARNING [foo]: restored: Service',
    'deis[controller]: WARNING restored: Service',
  ],
  ['WARN', platformPod, 'deis-controller', 'WARN  [foo]:a [b]: c', 'deis[controller]: WARN a [b]: c'],
  ['its own log', platformPod, 'deis-controller', '{"level":"info","message":"INFO [foo]: a"}', ''],
  ['another level', platformPod, 'deis-controller', 'FATAL [foo]: a', ''],
  ['an app that cannot be', platformPod, 'deis-controller', 'INFO [foo bar]: a', ''],
  ['no app at all', platformPod, 'deis-controller', 'INFO []: a', ''],
  ['the router', platformPod, 'deis-router', accessLine('foo'), `deis[router]: ${accessLine('foo')}`],
  ['a Service of a namespace', platformPod, 'deis-router', accessLine('shop/web'), ''],
  ['no route', platformPod, 'deis-router', accessLine('router-default-vhost'), ''],
  ['refused before', platformPod, 'deis-router', accessLine(''), ''],
  ["the router's own log", platformPod, 'deis-router', '{"level":"info"}', ''],
]
for (const [name, pod, container, text, want] of cases)
  test(name, () => {
    const attribute = attributionOf(pod, container, 'deis')
    if (want === null) {
      expect(attribute).toBe(null)
      return
    }
    const line = attribute!(time, text)
    expect(line === null ? '' : textOfLine(line)).toBe(want && `2016-10-18T20:29:38+00:00 ${want}`)
    if (line !== null) expect(line.app).toBe('foo')
  })

test('a line of any length is looked at in no time', () => {
  const attribute = attributionOf(platformPod, 'deis-controller', 'deis')!
  expect(attribute(time, `INFO ${'['.repeat(1_000_000)}`)).toBe(null)
  expect(attribute(time, `INFO ${' '.repeat(1_000_000)}`)).toBe(null)
})
