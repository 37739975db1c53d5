import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ConfigMaps, noConfig } from './config.ts'
import { type MergeOptions, mergeConfig } from './config-change.ts'
import { configMapNames } from './config-diff.ts'
import { refused } from './testdata/refused.ts'

type Partially = Partial<ConfigMaps>

const config = (maps: Partially): ConfigMaps => ({ ...noConfig, ...maps })
const merge = (current: Partially, change: unknown, options: Partial<MergeOptions> = {}): ConfigMaps =>
  mergeConfig(config(current), change, { user: 'ann', ...options }).config

const live = { httpGet: { port: 80 } }
const ready = { tcpSocket: { port: 80 } }

const merged: readonly (readonly [name: string, current: Partially, change: unknown, want: Partially])[] = [
  ['a first value', {}, { values: { A: '1' } }, { values: { A: '1' } }],
  ['a JSON text', {}, { values: '{"A":"1"}' }, { values: { A: '1' } }],
  ['numbers become text', {}, { values: { A: 1.5 }, cpu: { web: 2 } }, { values: { A: '1.5' }, cpu: { web: '2' } }],
  ['an empty value', {}, { values: { A: '' } }, { values: { A: '' } }],
  ['a value is not trimmed', {}, { values: { A: ' x\n' } }, { values: { A: ' x\n' } }],
  ['key by key', { values: { A: '1', B: '2' } }, { values: { B: '3' } }, { values: { A: '1', B: '3' } }],
  ['null removes', { values: { A: '1', B: '2' } }, { values: { A: null } }, { values: { B: '2' } }],
  [
    'maps that are not named are kept',
    { tags: { a: '1' } },
    { values: { A: '1' } },
    { tags: { a: '1' }, values: { A: '1' } },
  ],
  ['unknown fields are ignored', {}, { values: { A: '1' }, uuid: 'x', routable: 7 }, { values: { A: '1' } }],
  ['twins in letter case', { values: { a: '1' } }, { values: { A: '2' } }, { values: { a: '1', A: '2' } }],
  [
    'limits',
    {},
    { memory: { web: '64M' }, cpu: { 'my-job': '250m/1' } },
    { memory: { web: '64M' }, cpu: { 'my-job': '250m/1' } },
  ],
  ['tags', {}, { tags: { 'example.com/rack': '1' } }, { tags: { 'example.com/rack': '1' } }],
  [
    'registry keys in lower case',
    { values: { PORT: '80' } },
    { registry: { Username: 'u' } },
    { values: { PORT: '80' }, registry: { username: 'u' } },
  ],
  ['registry keys are removed in any case', { registry: { username: 'u' } }, { registry: { USERNAME: null } }, {}],
  [
    'registry with PORT at once',
    {},
    { registry: { username: 'u' }, values: { PORT: 80 } },
    { values: { PORT: '80' }, registry: { username: 'u' } },
  ],
  ['the least port', {}, { values: { PORT: '1' } }, { values: { PORT: '1' } }],
  ['the largest port', {}, { values: { PORT: 65535 } }, { values: { PORT: '65535' } }],
  ['a probe', {}, { healthcheck: { web: { livenessProbe: live } } }, { healthcheck: { web: { livenessProbe: live } } }],
  [
    'a probe beside another',
    { healthcheck: { web: { livenessProbe: live } } },
    { healthcheck: { web: { readinessProbe: ready } } },
    { healthcheck: { web: { livenessProbe: live, readinessProbe: ready } } },
  ],
  [
    'the last probe of a type leaves it empty',
    { healthcheck: { 'web/cmd': { livenessProbe: live } } },
    { healthcheck: { 'web/cmd': { livenessProbe: null } } },
    { healthcheck: { 'web/cmd': {} } },
  ],
  [
    'a type of probes goes as a whole',
    { healthcheck: { web: { livenessProbe: live } } },
    { healthcheck: { web: null } },
    {},
  ],
  [
    'probes without a type',
    {},
    { healthcheck: { livenessProbe: live } },
    { healthcheck: { 'web/cmd': { livenessProbe: live } } },
  ],
]

describe('section 5, Config: merging', () => {
  for (const [name, current, change, want] of merged)
    test(name, () => expect(merge(current, change)).toEqual(config(want)))

  test('names of the prototype are ordinary keys', () => {
    const { values } = merge({}, { values: '{"__proto__":"1","constructor":"2"}' })
    expect(Object.entries(values)).toEqual([
      ['__proto__', '1'],
      ['constructor', '2'],
    ])
    const gone = merge({ values }, { values: '{"__proto__":null}' })
    expect(Object.entries(gone.values)).toEqual([['constructor', '2']])
  })

  test('apps without tags get the default ones', () => {
    expect(merge({}, { values: { A: '1' } }, { defaultTags: { pool: 'apps' } }).tags).toEqual({ pool: 'apps' })
    expect(merge({ tags: { a: '1' } }, { values: { A: '1' } }, { defaultTags: { pool: 'apps' } }).tags).toEqual({
      a: '1',
    })
  })

  test('what was there is left alone', () => {
    const current = config({
      values: Object.freeze({ A: '1' }),
      healthcheck: Object.freeze({ web: Object.freeze({ livenessProbe: live }) }),
    })
    mergeConfig(current, { values: { A: null }, healthcheck: { web: { livenessProbe: null } } }, { user: 'ann' })
    expect(current.values).toEqual({ A: '1' })
  })
})

describe('section 5, Config: variables of former health checks', () => {
  const probe = {
    initialDelaySeconds: 50,
    timeoutSeconds: 50,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  }
  const httpGet = { path: '/healthz' }

  test('the URL alone', () => {
    const both = { ...probe, httpGet }
    expect(merge({}, { values: { HEALTHCHECK_URL: '/healthz', A: '1' } })).toEqual(
      config({ values: { A: '1' }, healthcheck: { 'web/cmd': { livenessProbe: both, readinessProbe: both } } }),
    )
  })

  test('all of them, some set before', () => {
    const current = { values: { HEALTHCHECK_TIMEOUT: '5', HEALTHCHECK_INITIAL_DELAY: '6' } }
    const change = {
      HEALTHCHECK_URL: '/healthz',
      HEALTHCHECK_PERIOD_SECONDS: 7,
      HEALTHCHECK_SUCCESS_THRESHOLD: 2,
      HEALTHCHECK_FAILURE_THRESHOLD: '9',
      HEALTHCHECK_OTHER: 1,
    }
    const liveness = {
      initialDelaySeconds: 6,
      timeoutSeconds: 5,
      periodSeconds: 7,
      successThreshold: 1,
      failureThreshold: 9,
      httpGet,
    }
    expect(merge(current, { values: change })).toEqual(
      config({
        healthcheck: { 'web/cmd': { livenessProbe: liveness, readinessProbe: { ...liveness, successThreshold: 2 } } },
      }),
    )
  })

  test('without the URL they stay', () => {
    expect(merge({}, { values: { HEALTHCHECK_TIMEOUT: '5' } })).toEqual(
      config({ values: { HEALTHCHECK_TIMEOUT: '5' } }),
    )
  })
})

const keys = 'Config keys must start with a letter or underscore and only contain [A-z0-9_]'
const types = 'Process types can only contain lowercase alphanumeric characters'
const memory = 'Memory limit format: <number><unit> or <number><unit>/<number><unit>, where unit = B, K, M or G'
const cpu = 'CPU limit format: <value> or <value>/<value>, where value must be a numeric'
const needsPort = 'PORT needs to be set in the config when using a private registry'
const probeFault = (probe: unknown, why: string): string => `could not validate ${JSON.stringify(probe)}: ${why}`
const health = (probe: unknown, kind = 'readinessProbe'): unknown => ({ healthcheck: { web: { [kind]: probe } } })

const faults: readonly (readonly [name: string, current: Partially, change: unknown, want: object])[] = [
  ['a digit first', {}, { values: { '1A': 'x' } }, { values: [keys] }],
  ['a hyphen', {}, { values: { 'A-B': 'x' } }, { values: [keys] }],
  ['an umlaut', {}, { values: { Ä: 'x' } }, { values: [keys] }],
  ['a sign that only folds to k', {}, { values: { '\u212a': 'x' } }, { values: [keys] }],
  ['an empty key', {}, { values: { '': 'x' } }, { values: [keys] }],
  ['a line end behind the key', {}, { values: { 'A\n': 'x' } }, { values: [keys] }],
  ['a key too long for a Secret', {}, { values: { ['A'.repeat(254)]: 'x' } }, { values: [keys] }],
  ['PORT that is none', {}, { values: { PORT: 'http' } }, { values: ['PORT can only be a numeric value'] }],
  ['PORT with a sign', {}, { values: { PORT: -1 } }, { values: ['PORT can only be a numeric value'] }],
  ['PORT 0', {}, { values: { PORT: 0 } }, { values: ['PORT needs to be between 1 and 65535'] }],
  ['PORT 65536', {}, { values: { PORT: '65536' } }, { values: ['PORT needs to be between 1 and 65535'] }],
  [
    'a check without path',
    {},
    { values: { HEALTHCHECK_URL: 'http://example.com' } },
    { values: ['HEALTHCHECK_URL is missing a URI path (such as /healthz). Without it no health check can be done'] },
  ],
  [
    'a check with a query',
    {},
    { values: { HEALTHCHECK_URL: '/a?b=c' } },
    {
      values: [
        'HEALTHCHECK_URL can only be a URI path (such as /healthz) that does not contain other things such as query params',
      ],
    },
  ],
  [
    'a check with a host',
    {},
    { values: { HEALTHCHECK_URL: '//a/b' } },
    {
      values: [
        'HEALTHCHECK_URL can only be a URI path (such as /healthz) that does not contain other things such as query params',
      ],
    },
  ],
  [
    'a check that is no number',
    {},
    { values: { HEALTHCHECK_TIMEOUT: '5s' } },
    { values: ['HEALTHCHECK_TIMEOUT can only be a numeric value'] },
  ],
  ['an object for a value', {}, { values: { A: {} } }, { values: ['The value of A is no text that can be kept'] }],
  ['a zero character', {}, { values: { A: 'x\0' } }, { values: ['The value of A is no text that can be kept'] }],
  [
    'a value too long for a process',
    {},
    { values: { A: 'x'.repeat(131_070) } },
    { values: ['A is longer than 131071 octets'] },
  ],
  [
    'a timeout that is none',
    {},
    { values: { DEIS_DEPLOY_TIMEOUT: 'soon' } },
    { values: ['DEIS_DEPLOY_TIMEOUT needs to be a number between 1 and 3600'] },
  ],
  [
    'a pull policy that is none',
    {},
    { values: { IMAGE_PULL_POLICY: 'Often' } },
    { values: ['IMAGE_PULL_POLICY can only be Always, IfNotPresent, Never'] },
  ],
  ['a list', {}, { values: [] }, { values: ['Expected a dictionary of items but got type "list".'] }],
  ['no JSON', {}, { memory: 'web=1G' }, { memory: ['Value must be valid JSON.'] }],
  ['memory of no type', {}, { memory: { Web: '1G' } }, { memory: [types] }],
  ['memory without unit', {}, { memory: { web: 64 } }, { memory: [memory] }],
  ['CPU of no type', {}, { cpu: { 'web-': '1' } }, { cpu: [types] }],
  ['CPU in words', {}, { cpu: { web: 'one' } }, { cpu: [cpu] }],
  ['a tag with two slashes', {}, { tags: { 'a/b/c': '1' } }, { tags: ['Tag key prefixes must be DNS subdomains.'] }],
  ['a registry key', {}, { registry: { 'user name': 'u' } }, { registry: [keys] }],
  ['faults of several maps at once', {}, { memory: { web: 'x' }, cpu: { web: 'x' } }, { memory: [memory], cpu: [cpu] }],
  ['a registry without PORT', {}, { registry: { username: 'u' } }, { illogical: needsPort }],
  [
    'PORT taken from under a registry',
    { values: { PORT: '80' }, registry: { username: 'u' } },
    { values: { PORT: null } },
    { illogical: needsPort },
  ],

  ['no such value', {}, { values: { A: null } }, { absent: 'A does not exist under values' }],
  [
    'no such value, named as in the prototype',
    {},
    { values: { constructor: null } },
    { absent: 'constructor does not exist under values' },
  ],
  ['no such memory', {}, { memory: { web: null } }, { absent: 'web does not exist under memory' }],
  ['no such CPU', {}, { cpu: { web: null } }, { absent: 'web does not exist under cpu' }],
  ['no such tag', {}, { tags: { a: null } }, { absent: 'a does not exist under tags' }],
  ['no such registry key', {}, { registry: { a: null } }, { absent: 'a does not exist under registry' }],
  ['no such probes', {}, { healthcheck: { web: null } }, { absent: 'web does not exist under healthcheck' }],
  [
    'no such probe',
    { healthcheck: { web: { livenessProbe: live } } },
    health(null),
    { absent: 'web does not exist under healthcheck' },
  ],

  ['an empty body', {}, undefined, { conflict: 'ann changed nothing - release stopped' }],
  ['an empty map', {}, { values: {} }, { conflict: 'ann changed nothing - release stopped' }],
  [
    'what is there already',
    { values: { A: '1' } },
    { values: { A: 1 } },
    { conflict: 'ann changed nothing - release stopped' },
  ],
  [
    'a probe that is there already',
    { healthcheck: { web: { readinessProbe: ready } } },
    health(ready),
    { conflict: 'ann changed nothing - release stopped' },
  ],

  [
    'no kind of probe',
    {},
    health({}, 'startupProbe'),
    { healthcheck: ['Healthcheck keys must be either livenessProbe or readinessProbe'] },
  ],
  ['probes of no type', {}, { healthcheck: { Web: {} } }, { healthcheck: [types] }],
  [
    'probes that are a list',
    {},
    { healthcheck: { web: [] } },
    { healthcheck: ["could not validate []: it is not of type 'object'"] },
  ],
  ['a probe that is text', {}, health('x'), { healthcheck: ["could not validate x: 'x' is not of type 'object'"] }],
  [
    'liveness that takes two',
    {},
    health({ ...live, successThreshold: 2 }, 'livenessProbe'),
    { healthcheck: ['livenessProbe successThreshold can only be 1'] },
  ],
  ...(
    [
      [{ httpGet: {} }, "'port' is a required property"],
      [{ tcpSocket: {} }, "'port' is a required property"],
      [{ exec: {} }, "'command' is a required property"],
      [{ exec: { command: [] } }, '[] is too short'],
      [{ exec: { command: [1] } }, "1 is not of type 'string'"],
      [{ exec: { command: 'ls' } }, "'ls' is not of type 'array'"],
      [{ httpGet: { port: '80' } }, "'80' is not of type 'integer'"],
      [{ httpGet: { port: 80.5 } }, "80.5 is not of type 'integer'"],
      [{ httpGet: { port: 0 } }, '0 is less than the minimum of 1'],
      [{ tcpSocket: { port: 65536 } }, '65536 is greater than the maximum of 65535'],
      [{ httpGet: { port: 80, path: 1 } }, "1 is not of type 'string'"],
      [{ httpGet: { port: 80, scheme: 'FTP' } }, "'FTP' is not one of ['HTTP', 'HTTPS']"],
      [{ httpGet: { port: 80, httpHeaders: {} } }, "{} is not of type 'array'"],
      [{ httpGet: { port: 80, httpHeaders: [{ value: 'x' }] } }, "'name' is a required property"],
      [{ httpGet: { port: 80, httpHeaders: [{ name: 'A B' }] } }, "'A B' is not the name of a header"],
      [{ ...ready, periodSeconds: -1 }, '-1 is less than the minimum of 0'],
      [{ ...ready, periodSeconds: 2 ** 31 }, '2147483648 is greater than the maximum of 2147483647'],
      [{ ...ready, timeoutSeconds: '5' }, "'5' is not of type 'integer'"],
      [{ periodSeconds: 5 }, 'exactly one of exec, httpGet and tcpSocket is required'],
      [{ ...live, ...ready }, 'exactly one of exec, httpGet and tcpSocket is required'],
    ] as const
  ).map(([probe, why]) => [`probe: ${why}`, {}, health(probe), { healthcheck: [probeFault(probe, why)] }] as const),
]

describe('section 5, Config: refused', () => {
  for (const [name, current, change, want] of faults)
    test(name, () => expect(refused(() => merge(current, change))).toEqual(want))

  test('a body that is a list', () => {
    const message = 'Invalid data. Expected a dictionary, but got list.'
    expect(refused(() => merge({}, []))).toEqual({ non_field_errors: [message] })
  })

  test('more than a Secret holds', () => {
    const values = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`K${i}`, 'x'.repeat(100_000)]))
    const message = 'The config of an app can have at most 1000000 octets in all'
    expect(refused(() => merge({}, { values }))).toEqual({ illogical: message })
  })
})

test('section 5, Config: whatever is nested without end is refused', () => {
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
  for (const name of configMapNames) {
    for (const text of [
      `{"web":${deep}}`,
      `{"web":{"readinessProbe":${deep}}}`,
      `{"web":{"readinessProbe":{"exec":${deep}}}}`,
    ]) {
      expect(Object.keys(refused(() => merge({}, { [name]: text })) as object)).toEqual([name])
    }
  }
})

test('section 5, Config: what is known of a probe is kept, the rest is not', () => {
  const probe = {
    httpGet: {
      path: '/',
      port: 80,
      host: 'h',
      scheme: 'https',
      httpHeaders: [{ name: 'A', value: 'b' }, { name: 'C' }],
      more: 1,
    },
    initialDelaySeconds: 0,
    terminationGracePeriodSeconds: 1,
  }
  expect(merge({}, health(probe)).healthcheck).toEqual({
    web: {
      readinessProbe: {
        httpGet: {
          path: '/',
          port: 80,
          host: 'h',
          scheme: 'HTTPS',
          httpHeaders: [
            { name: 'A', value: 'b' },
            { name: 'C', value: '' },
          ],
        },
        initialDelaySeconds: 0,
      },
    },
  })
})

const key = fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,5}$/).filter(name => name !== 'PORT')
const texts = fc.dictionary(
  key,
  fc.string({ unit: 'grapheme' }).filter(text => !text.includes('\0')),
  { maxKeys: 6 },
)

test('setting and removing again comes back to where it began', () => {
  fc.assert(
    fc.property(texts, texts, (before, added) => {
      const fresh = Object.entries(added).filter(([name]) => !Object.hasOwn(before, name))
      fc.pre(fresh.length > 0)
      const after = merge({ values: before }, { values: Object.fromEntries(fresh) })
      const nulls = Object.fromEntries(fresh.map(([name]) => [name, null]))
      expect(merge(after, { values: nulls })).toEqual(config({ values: before }))
    }),
  )
})

test('whatever is sent, the answer is a config of text or a refusal', () => {
  const body = fc.dictionary(fc.constantFrom(...configMapNames), fc.jsonValue({ maxDepth: 4 }))
  fc.assert(
    fc.property(body, change => {
      refused(() => {
        const { healthcheck: _, ...maps } = merge({}, change)
        for (const map of Object.values(maps))
          for (const value of Object.values(map)) expect(value).toBeTypeOf('string')
      })
    }),
  )
})
