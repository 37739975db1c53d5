import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { translateIngress } from './ingress.ts'
import { readIngress } from './ingress-shape.ts'
import { readRef } from './object-shape.ts'
import { readRouterSettings } from './router-settings.ts'

const { settings } = readRouterSettings({}, { kind: 'Deployment', namespace: 'deis', name: 'deis-router' }, null)

// Each `case.yaml` holds an Ingress; `case.routes.json` is its translation.
const folder = new URL('./testdata/ingress/', import.meta.url)
const stems = readdirSync(folder)
  .filter(file => file.endsWith('.yaml'))
  .map(file => file.slice(0, -'.yaml'.length))

function translate(object: unknown): unknown {
  const ref = readRef('Ingress', object)
  const shaped = ref === null ? null : readIngress(ref, object)
  if (shaped?.kind !== 'good') return shaped
  const { app: _, certificates, ...translation } = translateIngress(shaped.object, settings)
  return JSON.parse(JSON.stringify({ ...translation, certificates: Object.fromEntries(certificates) }))
}

test('there are fixtures', () => expect(stems.length).toBeGreaterThanOrEqual(3))

for (const stem of stems) {
  test(`testdata/ingress/${stem}`, () => {
    const object: unknown = parse(readFileSync(new URL(`${stem}.yaml`, folder), 'utf8'))
    expect(translate(object)).toEqual(JSON.parse(readFileSync(new URL(`${stem}.routes.json`, folder), 'utf8')))
  })
}

test('no object makes it throw', () => {
  const metadata = fc.record(
    {
      name: fc.constant('web'),
      creationTimestamp: fc.anything(),
      annotations: fc.oneof(fc.anything(), fc.dictionary(fc.string(), fc.string())),
    },
    { requiredKeys: ['name'] },
  )
  const text = fc.oneof(fc.string(), fc.constantFrom('/', '/a', '*.a.example', 'a.example', ''))
  const backend = fc.oneof(
    fc.anything(),
    fc.record({
      service: fc.oneof(fc.anything(), fc.record({ name: fc.anything(), port: fc.anything() })),
      resource: fc.anything(),
    }),
  )
  const path = fc.record({
    path: fc.oneof(text, fc.anything()),
    pathType: fc.constantFrom('Exact', 'Prefix', 'Other', 7),
    backend,
  })
  const rule = fc.record({
    host: fc.oneof(text, fc.anything()),
    http: fc.oneof(
      fc.anything(),
      fc.record({ paths: fc.oneof(fc.anything(), fc.array(fc.oneof(path, fc.anything()))) }),
    ),
  })
  const tls = fc.record({ hosts: fc.oneof(fc.anything(), fc.array(text)), secretName: fc.oneof(text, fc.anything()) })
  const spec = fc.record({
    ingressClassName: fc.oneof(text, fc.anything()),
    defaultBackend: backend,
    rules: fc.oneof(fc.anything(), fc.array(fc.oneof(rule, fc.anything()))),
    tls: fc.oneof(fc.anything(), fc.array(fc.oneof(tls, fc.anything()))),
  })
  const object = fc.oneof(fc.record({ metadata, spec: fc.oneof(spec, fc.anything()) }), fc.anything())
  fc.assert(
    fc.property(object, object => {
      translate(object)
    }),
    { numRuns: 500, seed: 1 },
  )
})
