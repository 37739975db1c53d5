import { expect, test } from 'vitest'
import { type OwnRegistryNames, ownRepository } from './own-registry.ts'

const cluster: OwnRegistryNames = { hostless: false, hosts: ['deis-registry.deis.svc', '192.0.2.7'] }
const local: OwnRegistryNames = { hostless: true, hosts: ['127.0.0.1'] }

const rows: [names: OwnRegistryNames, image: string, repository: string | null][] = [
  [local, 'shop:git-1a2b3c4d', 'shop'],
  [local, 'shop/cache', 'shop/cache'],
  [cluster, 'shop:git-1a2b3c4d', null],
  [cluster, 'library/nginx:1', null],
  [cluster, 'registry.example.com/shop:1', null],
  [cluster, '127.0.0.1:5555/shop:git-1a2b3c4d', 'shop'],
  [cluster, `127.0.0.1:5555/shop@sha256:${'0'.repeat(64)}`, 'shop'],
  [cluster, '127.1.2.3:5555/shop', 'shop'],
  [cluster, '127.0.0.1/shop', 'shop'],
  [cluster, 'localhost:5555/shop', 'shop'],
  [cluster, 'LOCALHOST:5555/shop', 'shop'],
  [cluster, 'a.localhost:5555/shop', 'shop'],
  [cluster, '[::1]:5555/shop', 'shop'],
  [cluster, '[::ffff:127.0.0.1]:5555/shop', 'shop'],
  [cluster, '0.0.0.0:5555/shop', 'shop'],
  [cluster, 'deis-registry.deis.svc:80/shop', 'shop'],
  [cluster, 'deis-registry.deis.svc.cluster.local/shop', 'shop'],
  [cluster, 'deis-registry.deis.svc.:80/shop', 'shop'],
  [cluster, 'deis-registry.deis.svcs/shop', null],
  [cluster, '192.0.2.7:5000/shop', 'shop'],
  [cluster, 'no image', null],
]
test.each(rows)('%j: %s', (names, image, repository) => expect(ownRepository(image, names)).toBe(repository))
