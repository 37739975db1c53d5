// Names of images that are pulled (controller contract, section 5, Builds).

import { readText } from './field.ts'
import { Refusal } from './refusal.ts'

/** Characters: repository, tag and digest at their longest. */
const longest = 1024

/** The platform's own components. */
const components = new Set([
  'builder',
  'controller',
  'database',
  'dockerbuilder',
  'etcd',
  'fluentd',
  'logger',
  'minio',
  'monitor',
  'nsq',
  'redis',
  'registry',
  'registry-proxy',
  'registry-token-refresher',
  'router',
  'slugbuilder',
  'slugrunner',
  'workflow',
  'workflow-manager',
])

/** An image's name, the key of a slug, or on a local cluster a directory. */
export function parseImage(raw: unknown): string {
  const image = readText('image', raw, { most: longest })
  const repository = repositoryOf(image)
  const [component, namespace] = repository.split('/').reverse()
  if (namespace === 'deis' && components.has(component!) && !image.startsWith('/')) {
    throw new Refusal('illogical', `Repository name ${repository} is not allowed, as it is reserved by Deis`)
  }
  return image
}

/** Without tag and digest. The port of a registry's host stays. */
export function repositoryOf(image: string): string {
  const at = image.indexOf('@')
  const named = at < 0 ? image : image.slice(0, at)
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1)
  return colon < 0 ? named : named.slice(0, colon)
}
