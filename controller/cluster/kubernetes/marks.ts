// By what objects are known to be ours, and whose they are.

import type { AppId } from '../../domain/app.ts'

/** Owner of the fields that we apply. */
export const fieldManager = 'deis-controller'

/** On a Namespace: the uuid of the app that it was made for. Without it, or with another, it is somebody else's. */
export const uuidAnnotation = 'controller.deis.io/app-uuid'

const managedBy = { 'app.kubernetes.io/managed-by': fieldManager } as const

/** Selects what we made, of all apps. */
export const managedSelector = `app.kubernetes.io/managed-by=${fieldManager}`

export const platformLabels = { heritage: 'deis', ...managedBy } as const

export function appLabels(app: AppId): Readonly<Record<string, string>> {
  return { app, ...platformLabels }
}

/** What a Deployment selects its Pods by. It can never be changed, so nothing may be added here. */
export function processLabels(app: AppId, type: string): Readonly<Record<string, string>> {
  return { app, type, heritage: 'deis' }
}

/** `a=b,c=d` */
export function selector(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(',')
}

/** The type of one-off processes. */
export const oneOffType = 'run'
