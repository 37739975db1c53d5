import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import {
  type App,
  certificateSecret,
  endpointSliceOf,
  hostNames,
  routerDeployment,
  serviceOf,
  writeManifests,
} from './manifests.ts'
import { Workbench } from './workbench.ts'

const app: App = {
  name: 'shop',
  hosts: ['a.example', 'b.example'],
  address: '127.0.0.1',
  port: 5000,
  certificate: 'shop',
  annotations: { 'router.deis.io/maintenance': 'true' },
}

test('an app is a Service and an EndpointSlice of the contract', () => {
  const service = serviceOf(app)
  expect(service.metadata.labels).toMatchObject({ 'router.deis.io/routable': 'true' })
  expect(service.metadata.annotations).toEqual({
    'router.deis.io/domains': 'a.example,b.example',
    'router.deis.io/certificates': 'a.example:shop,b.example:shop',
    'router.deis.io/maintenance': 'true',
  })
  expect(service.spec?.ports?.[0]?.port).toBe(80)
  const slice = endpointSliceOf(app)
  expect(slice.metadata.labels).toEqual({ 'kubernetes.io/service-name': 'shop' })
  expect(slice.endpoints?.[0]?.addresses).toEqual(['127.0.0.1'])
  expect(slice.ports?.[0]?.port).toBe(5000)
  expect(serviceOf({ ...app, certificate: null }).metadata.annotations).not.toHaveProperty(
    'router.deis.io/certificates',
  )
})

test('files hold their objects as YAML documents', async () => {
  await using bench = new Workbench()
  const directory = join(bench.directory, 'manifests')
  const secret = certificateSecret('apps', 'shop', { chain: 'CERTIFICATE', key: 'KEY', fingerprint: '', notAfter: 0 })
  const groups = [[routerDeployment({ bodySize: '0' }), secret], [serviceOf(app)]]
  writeManifests(directory, groups)
  const files = readdirSync(directory).sort()
  expect(files).toEqual(['0000.yaml', '0001.yaml'])
  const read = files.map(file =>
    parseAllDocuments(readFileSync(join(directory, file), 'utf8')).map(document => document.toJS()),
  )
  expect(read).toEqual(groups)
  expect(Buffer.from(secret.data!['tls.crt']!, 'base64').toString()).toBe('CERTIFICATE')
})

test('host names are distinct and sort by number', () => {
  const names = hostNames(1_200)
  expect(new Set(names).size).toBe(1_200)
  expect(names.toSorted()).toEqual(names)
})
