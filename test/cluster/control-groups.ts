// The control group below which kubelet keeps those of its pods. Kubelet removes pod groups that it does not know, so
// two on one machine must not share a root.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

/** Its name, below the root of every hierarchy. */
export const controlGroupName = 'deis-cluster'

// Version 1 has a hierarchy for each controller or a few of them, version 2 has one.
function groups(): readonly string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map(line => line.split(' '))
    .filter(([, path, type]) => path?.startsWith('/sys/fs/cgroup') && /^cgroup2?$/.test(type ?? ''))
    .map(([, path]) => join(path ?? '', controlGroupName))
}

/** Makes the group with every controller that the machine has. */
export function makeControlGroup(): void {
  for (const group of groups()) {
    const controllers = join(group, '../cgroup.controllers')
    if (existsSync(controllers)) {
      for (const name of readFileSync(controllers, 'utf8').trim().split(' ').filter(Boolean)) {
        writeFileSync(join(group, '../cgroup.subtree_control'), `+${name}`)
      }
    }
    mkdirSync(group, { recursive: true })
  }
}

/** Removes the group with all groups in it, whose processes must have been ended. */
export async function removeControlGroup(): Promise<void> {
  const deadline = performance.now() + 10_000
  for (const group of groups()) {
    while (existsSync(group)) {
      try {
        remove(group)
      } catch (error) {
        // The kernel lets a group go a moment after the last process in it.
        if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || performance.now() > deadline) throw error
        await setTimeout(20)
      }
    }
  }
}

function remove(group: string): void {
  for (const entry of readdirSync(group, { withFileTypes: true })) {
    if (entry.isDirectory()) remove(join(group, entry.name))
  }
  rmdirSync(group)
}
