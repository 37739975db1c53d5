// What the API server refuses, in the cluster's terms.

import { KubeError, TransportError } from '#kube/errors.ts'
import { ClusterError } from '../cluster.ts'

export function isMissing(error: unknown): boolean {
  return error instanceof KubeError && error.status === 404
}

/** As `call`, but null when there is no such thing. */
export async function unlessMissing<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

/** As `call`, but what Kubernetes or the way to it throws is a ClusterError. */
export async function inClusterTerms<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw inTerms(error)
  }
}

function inTerms(error: unknown): unknown {
  if (error instanceof TransportError) {
    return new ClusterError('unreachable', `the cluster cannot be reached: ${error.message}`, { cause: error })
  }
  if (!(error instanceof KubeError)) return error
  return new ClusterError(isAboutTheApp(error) ? 'failed' : 'unreachable', error.message, { cause: error })
}

/** The object is not acceptable, there is no room for it, or its namespace is on its way out. */
function isAboutTheApp({ status, message }: KubeError): boolean {
  if (status === 403) return /exceeded quota|is being terminated/.test(message)
  return status === 400 || status === 404 || status === 409 || status === 422
}
