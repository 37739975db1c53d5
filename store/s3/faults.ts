// What a server or the way to it says, in the words of a store.

import { StoreError } from '../store.ts'

interface Fault {
  readonly name?: string
  readonly code?: string
  readonly message?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
}

/** 507 is what a full server should say; these are what some say. */
const fullNames = new Set([
  'XMinioStorageFull',
  'XMinioAdminBucketQuotaExceeded',
  'QuotaExceeded',
  'ServiceQuotaExceeded',
  'InsufficientStorage',
  'NotEnoughSpace',
])

/** Answers of servers that have had enough for now. */
const busyNames = new Set(['RequestTimeout', 'RequestTimeTooSkewed', 'SlowDown', 'TooManyRequestsException'])

export function statusOf(error: unknown): number | undefined {
  return (error as Fault).$metadata?.httpStatusCode
}

export function isMissing(error: unknown): boolean {
  const { name } = error as Fault
  return name === 'NoSuchKey' || name === 'NotFound' || (statusOf(error) === 404 && name !== 'NoSuchBucket')
}

export function explain(error: unknown, what: string): StoreError {
  const { name = '', code, message = '' } = error as Fault
  const status = statusOf(error)
  // Of a HEAD there is no more to tell than its status.
  const named = message !== '' && !/^Unknown/.test(message)
  const reason = named ? message : (code ?? `the server answers ${status}`)
  return new StoreError(kindOf(name, status), `${what}: ${reason}`, { cause: error })
}

function kindOf(name: string, status: number | undefined): StoreError['kind'] {
  if (status === 507 || fullNames.has(name)) return 'full'
  // Without an answer there was no way to the server; without credentials nothing was asked.
  if (name === 'CredentialsProviderError') return 'refused'
  return status === undefined || status < 300 || status >= 500 || busyNames.has(name) ? 'unreachable' : 'refused'
}
