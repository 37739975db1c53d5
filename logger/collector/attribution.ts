// Whose line it is (registry contract, section 10): of an app's pod, of its process; of the controller, of the app that it
// names; of the router's access log, of the app that was asked. Pure.
//
// Containers of the platform count only in the platform's own namespace: an app may call its processes as it likes.

import { isAppId, isProcessName, type LogLine } from '../line.ts'
import { parseRouterLine } from '../router-line.ts'

/** What is known of a pod. */
export interface PodFacts {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly labels: Readonly<Record<string, string>>
}

/** The labels that are read, and no others. */
export const usedLabels = ['heritage', 'app', 'type', 'version'] as const

/** Null: the line is of no app. */
export type Attribute = (time: number, text: string) => LogLine | null

/** Null: what this container writes is not read. */
export function attributionOf(pod: PodFacts, container: string, platformNamespace: string): Attribute | null {
  if (pod.namespace === platformNamespace) {
    if (container.includes('deis-controller')) return controllerLine
    return container.includes('deis-router') ? routerLine : null
  }
  const { heritage, app } = pod.labels
  if (heritage !== 'deis' || app === undefined || !isAppId(app)) return null
  const process = processOf(pod)
  return (time, text) => ({ app, source: 'app', process, time, text })
}

/** `web.v2.nzf60`: type, version, and the last part of the name when that has four at least. */
function processOf({ name, labels: { type, version } }: PodFacts): string | null {
  const parts = name.split('-')
  const known = [type, version, parts.length < 4 ? undefined : parts.at(-1)].filter(part => part)
  const process = known.join('.')
  return isProcessName(process) ? process : null
}

/** `INFO [shop]: alice deployed 2fd9226`. */
export function controllerLine(time: number, text: string): LogLine | null {
  const match = /^(INFO|WARN|WARNING|DEBUG|ERROR)[ \t]{1,16}\[([a-z0-9-]{1,63})\]:/.exec(text)
  if (match === null) return null
  const [head, level, app = ''] = match
  if (!isAppId(app)) return null
  return { app, source: 'controller', process: null, time, text: `${level} ${text.slice(head.length).trim()}` }
}

/** The access log in its standard form. `NAMESPACE/SERVICE` is no app. */
export function routerLine(time: number, text: string): LogLine | null {
  const app = parseRouterLine(text)?.app
  if (app === undefined || app === 'router-default-vhost' || !isAppId(app)) return null
  return { app, source: 'router', process: null, time, text }
}
