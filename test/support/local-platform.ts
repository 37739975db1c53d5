// The platform in this process: registry, controller with processes of this machine, builder, and the router in front;
// and visitors of an app while something happens to it.

import { readFile } from 'node:fs/promises'
import { get } from 'node:http'
import { join } from 'node:path'
import { LocalStrategy } from '#builder/build/local/local-strategy.ts'
import { BuilderStage, type Person } from './builder-stage.ts'
import { type ManifestRouter, startManifestRouter } from './manifest-router.ts'
import { type OwnRegistry, startOwnRegistry } from './own-registry.ts'

/** Files of an example of ours. */
export async function example(app: string, ...files: readonly string[]): Promise<Record<string, string>> {
  const texts = files.map(async file => {
    const path = new URL(`../../examples/${app}/${file}`, import.meta.url)
    return [file, await readFile(path, 'utf8')] as const
  })
  return Object.fromEntries(await Promise.all(texts))
}

/** On a connection of its own. */
export function ask(port: number, host: string): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>()
  const request = get({ host: '127.0.0.1', port, headers: { host }, agent: false })
  request.on('error', reject)
  request.on('response', async response => {
    try {
      resolve({ status: response.statusCode ?? 0, text: Buffer.concat(await response.toArray()).toString() })
    } catch (error) {
      reject(error)
    }
  })
  return promise
}

/** Requests every `interval` milliseconds, whatever comes of them, while `during` goes on; returns what went wrong. */
export async function visitors(
  port: number,
  host: string,
  interval: number,
  during: () => Promise<void>,
): Promise<{ sent: number; failed: string[] }> {
  const failed: string[] = []
  const open = new Set<Promise<void>>()
  let sent = 0
  const timer = setInterval(() => {
    sent++
    const visit = ask(port, host).then(
      ({ status }) => void (status === 200 || failed.push(String(status))),
      error => void failed.push(String(error)),
    )
    open.add(visit)
    void visit.finally(() => open.delete(visit))
  }, interval)
  try {
    await during()
  } finally {
    clearInterval(timer)
    await Promise.all(open)
  }
  return { sent, failed }
}

export class LocalPlatform implements AsyncDisposable {
  readonly stage: BuilderStage
  readonly router: ManifestRouter
  readonly #registry: OwnRegistry

  private constructor(stage: BuilderStage, router: ManifestRouter, registry: OwnRegistry) {
    this.stage = stage
    this.router = router
    this.#registry = registry
  }

  static async start(): Promise<LocalPlatform> {
    const registry = await startOwnRegistry()
    const stage = await BuilderStage.start({
      controller: { registry: registry.url },
      strategy: ({ directory }) =>
        LocalStrategy.open({
          state: join(directory, 'builds'),
          registry: registry.url,
          credentials: null,
          tokens: null,
        }),
    })
    return new LocalPlatform(stage, await startManifestRouter(stage.controller.manifests), registry)
  }

  /** A new app with a domain, which is returned. */
  async app(person: Person, id: string): Promise<string> {
    const { controller } = this.stage
    const host = `${id}.example.com`
    await controller.app(person.token, id)
    await controller.call('POST', `/v2/apps/${id}/domains/`, { token: person.token, body: { domain: host } })
    return host
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.router[Symbol.asyncDispose]()
    await this.stage[Symbol.asyncDispose]()
    await this.#registry[Symbol.asyncDispose]()
  }
}
