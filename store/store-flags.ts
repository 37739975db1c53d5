// Flags of services that keep things in a store: a folder, or a bucket of an S3 API.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Flag, FlagValues } from '#kit/command-line.ts'
import type { StoreTarget } from './open-store.ts'

export const storeFlags = {
  folder: { name: 'folder', argument: 'DIR', help: 'keep everything in this folder' },
  bucket: { name: 's3-bucket', argument: 'NAME', help: 'keep everything in this bucket of an S3 API' },
  endpoint: { name: 's3-endpoint', argument: 'URL', help: "the S3 server (default AWS's own)" },
  region: { name: 's3-region', argument: 'REGION', help: 'default us-east-1' },
  prefix: { name: 's3-prefix', argument: 'PREFIX', help: 'what keys in the bucket begin with (default nothing)' },
  pathStyle: {
    name: 's3-path-style',
    argument: 'on|off',
    help: 'the bucket in the path, not in the host (default on with --s3-endpoint)',
  },
  credentials: {
    name: 's3-credentials',
    argument: 'DIR',
    help: 'files accesskey, secretkey, and perhaps region and a bucket (default: what the machine gives)',
  },
} as const satisfies Record<string, Flag>

/** What of any program's flags is needed here. */
type StoreValues = Pick<FlagValues<keyof typeof storeFlags>, 'alternatives' | 'faults' | 'onOff' | 'parsed' | 'text'>

/**
 * The store that the flags name. `bucketFile`: which file of the credentials names the bucket when no flag does; charts of
 * Deis have one Secret for several services.
 */
export function storeOf(values: StoreValues, bucketFile: string): StoreTarget {
  values.alternatives(['folder', 'bucket'])
  const folder = values.text('folder')
  const secret = secretOf(values, bucketFile)
  const bucket = values.text('bucket') ?? (folder === null ? (secret?.bucket ?? null) : null)
  if (folder !== null && bucket !== null) values.faults.push('--folder and --s3-bucket exclude each other')
  if (folder === null && bucket === null) values.faults.push('there is no store: pass --folder DIR or --s3-bucket NAME')
  if (bucket === null) return { kind: 'folder', directory: folder ?? '' }
  const endpoint = values.parsed('endpoint', 'a URL', text => {
    const url = URL.parse(text)
    return url !== null && /^https?:$/.test(url.protocol) ? text : null
  })
  return {
    kind: 's3',
    endpoint,
    region: values.text('region') ?? secret?.region ?? 'us-east-1',
    bucket,
    prefix: values.text('prefix') ?? '',
    credentials: secret,
    pathStyle: values.onOff('pathStyle', endpoint === null ? 'off' : 'on'),
  }
}

interface Secret {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string | null
  readonly bucket: string | null
}

function secretOf(values: StoreValues, bucketFile: string): Secret | null {
  const directory = values.text('credentials')
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
    values.faults.push('--s3-credentials must be a directory with the files accesskey and secretkey')
    return null
  }
  return { accessKeyId, secretAccessKey, region: read('region'), bucket: read(bucketFile) }
}
