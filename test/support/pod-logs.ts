// The kubelet's directory of logs, and pods for it: what a container runtime writes when containers write.

import { appendFile, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { FakeApi, FakeObject } from '#kube/fake.ts'

export interface TestPod {
  readonly namespace: string
  readonly name: string
  readonly labels?: Readonly<Record<string, string>>
  readonly node?: string
}

/** As a manifest has it. */
export function podObject({ namespace, name, labels = {}, node = 'node1' }: TestPod): FakeObject {
  return {
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { namespace, name, labels },
    spec: { nodeName: node },
  }
}

/** Of an app, as the controller makes it. */
export function appPod(app: string, name = `${app}-web-845861952-nzf60`): TestPod {
  return { namespace: app, name, labels: { heritage: 'deis', app, type: 'web', version: 'v2' } }
}

export class PodLogs {
  readonly root: string
  readonly #api: FakeApi
  readonly #uids = new Map<string, string>()

  constructor(root: string, api: FakeApi) {
    this.root = root
    this.#api = api
  }

  create(pod: TestPod): void {
    this.#uids.set(keyOf(pod), this.#api.create(podObject(pod)).metadata.uid!)
  }

  /** Of one that was not created too. */
  directory(pod: TestPod, container: string): string {
    const uid = this.#uids.get(keyOf(pod)) ?? 'unknown'
    return join(this.root, `${pod.namespace}_${pod.name}_${uid}`, container)
  }

  /** What the container writes, a line each. */
  async write(pod: TestPod, container: string, ...texts: readonly string[]): Promise<void> {
    const directory = this.directory(pod, container)
    await mkdir(directory, { recursive: true })
    const time = new Date().toISOString()
    await appendFile(join(directory, '0.log'), texts.map(text => `${time} stdout F ${text}\n`).join(''))
  }

  async rotate(pod: TestPod, container: string, time: string): Promise<void> {
    const file = join(this.directory(pod, container), '0.log')
    await rename(file, `${file}.${time}`)
  }

  async remove(pod: TestPod): Promise<void> {
    await rm(this.directory(pod, '.'), { recursive: true })
  }
}

const keyOf = ({ namespace, name }: TestPod): string => `${namespace}/${name}`
