// Flags of services that keep things in a store: a folder, or a bucket of an S3 API.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as flag from '#kit/flag.ts'
import type { StoreTarget } from './open-store.ts'

export const storeFlags = {
  folder: { ...flag.text(null, 'DIR', 'keep everything in this folder'), choiceOf: 'store' },
  s3Bucket: { ...flag.text(null, 'NAME', 'keep everything in this bucket of an S3 API'), choiceOf: 'store' },
  s3Endpoint: flag.parsed(null, 'URL', 'a URL', endpointOf, "the S3 server (default AWS's own)"),
  s3Region: flag.text(null, 'REGION', 'default us-east-1'),
  s3Prefix: flag.text(null, 'PREFIX', 'what keys in the bucket begin with (default nothing)'),
  s3PathStyle: flag.onOff(null, 'the bucket in the path, not in the host (default on with --s3-endpoint)'),
  s3Credentials: flag.text(
    null,
    'DIR',
    'files accesskey, secretkey, and perhaps region and a bucket (default: what the machine gives)',
  ),
}

/**
 * The store that the flags name. `bucketFile`: which file of the credentials names the bucket when no flag does; charts of
 * Deis have one Secret for several services.
 */
export function storeOf(values: flag.ValuesOf<typeof storeFlags>, bucketFile: string, faults: string[]): StoreTarget {
  const { folder, s3Endpoint: endpoint } = values
  const secret = secretOf(values.s3Credentials, bucketFile, faults)
  const bucket = values.s3Bucket ?? (folder === null ? (secret?.bucket ?? null) : null)
  if (folder !== null && bucket !== null) faults.push('--folder and --s3-bucket exclude each other')
  if (folder === null && bucket === null) faults.push('there is no store: pass --folder DIR or --s3-bucket NAME')
  if (bucket === null) return { kind: 'folder', directory: folder ?? '' }
  return {
    kind: 's3',
    endpoint,
    region: values.s3Region ?? secret?.region ?? 'us-east-1',
    bucket,
    prefix: values.s3Prefix ?? '',
    credentials: secret,
    pathStyle: values.s3PathStyle ?? endpoint !== null,
  }
}

function endpointOf(text: string): string | null {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) ? text : null
}

interface Secret {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string | null
  readonly bucket: string | null
}

function secretOf(directory: string | null, bucketFile: string, faults: string[]): Secret | null {
  if (directory === null) return null
  const read = (name: string): string | null => {
    try {
      return readFileSync(join(directory, name), 'utf8').trim() || null
    } catch {
      return null
    }
  }
  const [accessKeyId, secretAccessKey] = [read('accesskey'), read('secretkey')]
  if (accessKeyId === null || secretAccessKey === null) {
    faults.push('--s3-credentials must be a directory with the files accesskey and secretkey')
    return null
  }
  return { accessKeyId, secretAccessKey, region: read('region'), bucket: read(bucketFile) }
}
