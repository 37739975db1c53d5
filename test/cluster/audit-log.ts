// The API server's own record of who asked it for what; see audit-policy.yaml for what is recorded.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const file = 'log/audit.log'

/** Flags of kube-apiserver that have it keep the record. */
export const auditFlags = [
  `--audit-policy-file=${join(import.meta.dirname, 'audit-policy.yaml')}`,
  `--audit-log-path=${file}`,
  '--audit-log-mode=blocking',
] as const

/** One request; `''` and null stand for what it did not have. */
export interface AuditedRequest {
  readonly user: string
  readonly verb: string
  /** `''`: the core group. */
  readonly group: string
  /** With the subresource, as rules of roles name it: `ingresses/status`. Null: the path is no resource. */
  readonly resource: string | null
  readonly namespace: string | null
  readonly name: string | null
  readonly path: string
  readonly status: number
}

interface AuditLine {
  readonly verb: string
  readonly requestURI: string
  readonly user: { readonly username: string }
  readonly objectRef?: {
    readonly apiGroup?: string
    readonly resource?: string
    readonly subresource?: string
    readonly namespace?: string
    readonly name?: string
  }
  readonly responseStatus?: { readonly code?: number }
}

/** What a service account asked for so far, oldest first. `clusterDirectory` is that of a running cluster. */
export function auditedRequests(clusterDirectory: string, namespace: string, account: string): AuditedRequest[] {
  const path = join(clusterDirectory, file)
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  // The last one may be half written, or empty.
  lines.pop()
  return lines
    .map(line => JSON.parse(line) as AuditLine)
    .filter(({ user }) => user.username === `system:serviceaccount:${namespace}:${account}`)
    .map(({ user, verb, requestURI, objectRef = {}, responseStatus }) => ({
      user: user.username,
      verb,
      group: objectRef.apiGroup ?? '',
      resource: objectRef.resource ? [objectRef.resource, objectRef.subresource].filter(Boolean).join('/') : null,
      namespace: objectRef.namespace ?? null,
      name: objectRef.name ?? null,
      path: requestURI.split('?')[0]!,
      status: responseStatus?.code ?? 0,
    }))
}
