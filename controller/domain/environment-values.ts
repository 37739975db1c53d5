// Rules of a config's `values`, which become the environment of processes (controller contract, section 5, Config).

import { logDrainFault, logDrainKey } from './log-drain.ts'

export const keyFault = 'Config keys must start with a letter or underscore and only contain [A-z0-9_]'

/** Longest name: it is a key of a Secret too. */
const longestKey = 253

/** Linux takes no more than 128 KiB for `NAME=value` and the zero behind it; a process with more does not start. */
const longestVariable = 131_071

export function isConfigKey(key: string): boolean {
  return key.length <= longestKey && /^[A-Za-z_][A-Za-z0-9_]*$/.test(key)
}

/** What is wrong with a variable; null when nothing is. */
export function valueFault(key: string, value: string): string | null {
  if (!isConfigKey(key)) return keyFault
  if (key.length + 1 + Buffer.byteLength(value) > longestVariable)
    return `${key} is longer than ${longestVariable} octets`
  if (key === 'PORT') return portFault(value)
  if (key === logDrainKey) return logDrainFault(value)
  if (key === 'HEALTHCHECK_URL') return pathFault(key, value)
  if (key.startsWith('HEALTHCHECK_') && !/^[0-9]{1,9}$/.test(value)) return `${key} can only be a numeric value`
  return tuningFault(key, value)
}

function portFault(value: string): string | null {
  if (!/^[0-9]+$/.test(value)) return 'PORT can only be a numeric value'
  const port = Number(value)
  return port >= 1 && port <= 65535 ? null : 'PORT needs to be between 1 and 65535'
}

/** Kubernetes asks for a path and for nothing else. */
function pathFault(key: string, value: string): string | null {
  // Scheme, authority, path, query and fragment: RFC 3986, appendix B.
  const [, scheme, authority, path, query, fragment] =
    /^([^:/?#]+:)?(\/\/[^/?#]*)?([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(value) ?? []
  if (path === undefined || path === '') {
    return `${key} is missing a URI path (such as /healthz). Without it no health check can be done`
  }
  return [scheme, authority, query, fragment].some(part => part !== undefined)
    ? `${key} can only be a URI path (such as /healthz) that does not contain other things such as query params`
    : null
}

/** Variables that tell the platform how to deploy, and the least and the most that they may say. */
const tuning: Readonly<Record<string, readonly [least: number, most: number]>> = {
  DEIS_DEPLOY_BATCHES: [1, 1000],
  DEIS_DEPLOY_TIMEOUT: [1, 3600],
  KUBERNETES_DEPLOYMENTS_REVISION_HISTORY_LIMIT: [0, 1000],
  KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS: [0, 3600],
}
const pullPolicies = ['Always', 'IfNotPresent', 'Never']

function tuningFault(key: string, value: string): string | null {
  if (key === 'IMAGE_PULL_POLICY' && !pullPolicies.includes(value))
    return `${key} can only be ${pullPolicies.join(', ')}`
  if (!Object.hasOwn(tuning, key)) return null
  const [least, most] = tuning[key]!
  const isInside = /^[0-9]{1,9}$/.test(value) && Number(value) >= least && Number(value) <= most
  return isInside ? null : `${key} needs to be a number between ${least} and ${most}`
}
