import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import type { Deployment, Service } from '#kube/types.ts'
import { readRouterSettings } from './router-settings.ts'
import { isRoutable, platformSecret, translateService } from './service.ts'

const context = { namespace: 'deis', externalNames: false }

// Each `case.yaml` holds a Service, and maybe the router's Deployment; `case.routes.json` is its translation.
const folder = new URL('./testdata/', import.meta.url)
const stems = readdirSync(folder)
  .filter(file => file.endsWith('.yaml'))
  .map(file => file.slice(0, -'.yaml'.length))

function translate(stem: string): unknown {
  const objects = parseAllDocuments(readFileSync(new URL(`${stem}.yaml`, folder), 'utf8')).map(
    document => document.toJS() as Deployment | Service,
  )
  const deployment = objects.find(({ kind }) => kind === 'Deployment')
  const service = objects.find(({ kind }) => kind === 'Service') as Service
  const ref = { kind: 'Deployment', namespace: 'deis', name: 'deis-router' }
  const { settings } = readRouterSettings(deployment?.metadata.annotations ?? {}, ref, null)
  const { drafts, locations, problems } = translateService(service, { settings, ...context })
  return JSON.parse(JSON.stringify({ drafts, locations, problems }))
}

test('there are fixtures', () => expect(stems.length).toBeGreaterThanOrEqual(6))

for (const stem of stems) {
  test(`testdata/${stem}`, () => {
    expect(translate(stem)).toEqual(JSON.parse(readFileSync(new URL(`${stem}.routes.json`, folder), 'utf8')))
  })
}

const labels: readonly (readonly [value: string | undefined, want: boolean])[] = [
  ['true', true],
  ['false', false],
  ['True', false],
  ['', false],
  [undefined, false],
]

for (const [value, want] of labels) {
  test(`§1 routable ${JSON.stringify(value)}`, () => {
    const labels = value === undefined ? undefined : { 'router.deis.io/routable': value }
    expect(isRoutable({ metadata: { name: 'web', ...(labels && { labels }) } })).toBe(want)
  })
}

const { settings } = readRouterSettings(
  { 'router.deis.io/nginx.platformDomain': `${'p'.repeat(63)}.${'q'.repeat(63)}.${'r'.repeat(63)}.example` },
  { kind: 'Deployment', namespace: 'deis', name: 'deis-router' },
  null,
)

function service(name: string, namespace: string, app: string | null, domains: string): Service {
  return {
    metadata: {
      name,
      namespace,
      labels: app === null ? {} : { app },
      annotations: { 'router.deis.io/domains': domains },
    },
    spec: { ports: [{ port: 80 }] },
  }
}

const apps: readonly (readonly [name: string, namespace: string, label: string | null, want: string])[] = [
  ['shop-web', 'shop', 'shop', 'shop'],
  ['shop', 'shop', null, 'shop'],
  ['web', 'shop', null, 'shop/web'],
  ['web', 'shop', '', 'shop/web'],
  ['deis-controller', 'deis', 'deis-controller', 'deis/deis-controller'],
]

for (const [name, namespace, label, want] of apps) {
  test(`§6 app name of ${namespace}/${name} with label ${JSON.stringify(label)}`, () => {
    const { drafts } = translateService(service(name, namespace, label, 'a.example'), { settings, ...context })
    expect(drafts.map(({ route }) => route.app)).toEqual([want])
  })
}

test('§7 a dotless domain that the platform domain makes too long costs itself only', () => {
  const { drafts, problems } = translateService(service('web', 'shop', null, `${'a'.repeat(63)},a.example`), {
    settings,
    ...context,
  })
  expect(drafts.map(({ route }) => route.id)).toEqual(['service/shop/web/a.example'])
  expect(problems.map(({ code, severity }) => [code, severity])).toEqual([['invalid-annotation', 'error']])
})

test('a Service without domains has no routes and, whatever its ports, no Problem', () => {
  expect(translateService({ metadata: { name: 'web', namespace: 'shop' } }, { settings, ...context })).toMatchObject({
    drafts: [],
    locations: null,
    problems: [],
  })
})

test('§1 the platform certificate is in the namespace of the router', () => {
  expect(platformSecret('deis')).toEqual({ namespace: 'deis', name: 'deis-router-platform-cert' })
})
