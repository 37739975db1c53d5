// Two apps' pods as one child process, for the change and memory benches: see `pods-server.ts`.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { pinnedNode } from './router-process.ts'
import type { Running, Workbench } from './workbench.ts'

export interface Pods {
  readonly running: Running
  /** Ports whose answers begin with `A` and `B`. */
  readonly a: number
  readonly b: number
}

/** Listening on free ports of `address` when it resolves. */
export async function startPods(bench: Workbench, address: string): Promise<Pods> {
  const program = fileURLToPath(import.meta.resolve('./pods-server.ts'))
  const running = await bench.start({ name: 'pods', program: pinnedNode(), args: [program, address] })
  await bench.untilReady(running, async () => readFileSync(running.stdout, 'utf8').endsWith('\n'))
  const [a, b] = JSON.parse(readFileSync(running.stdout, 'utf8')) as [number, number]
  return { running, a, b }
}
