// Many users at once: each makes apps, configures, deploys and scales them, and all of them change the config of apps
// that they share. Nothing that was answered may be lost.

import type { Client } from './client.ts'

export interface CrowdOptions {
  readonly clients: readonly Client[]
  readonly apps: number
  /** Names of apps that all change. */
  readonly shared: readonly string[]
}

export interface CrowdResult {
  readonly seconds: number
  readonly requests: number
  /** Refused, because somebody else deployed that app just then; asked for again. */
  readonly busy: number
  /** Status and path of what should have been done and was not. */
  readonly errors: readonly string[]
  /** Changes that were answered and are not there. */
  readonly lost: readonly string[]
}

export function appName(index: number): string {
  return `app-${index}`
}

export async function crowd({ clients, apps, shared }: CrowdOptions): Promise<CrowdResult> {
  const errors: string[] = []
  const answered: { readonly app: string; readonly key: string }[] = []
  let requests = 0
  let busy = 0
  const began = performance.now()

  const post = async (client: Client, path: string, body: unknown): Promise<boolean> => {
    for (;;) {
      requests++
      const { status, body: answer } = await client.call('POST', path, body)
      if (status < 300) return true
      if (status !== 409) {
        errors.push(`${path}: ${status} ${JSON.stringify(answer).slice(0, 200)}`)
        return false
      }
      busy++
      // Somebody else's turn, which takes milliseconds here.
      await new Promise(resolve => setTimeout(resolve, 5 + Math.random() * 20))
    }
  }

  await Promise.all(
    clients.map(async (client, own) => {
      for (let index = own; index < apps; index += clients.length) {
        const app = appName(index)
        await post(client, '/v2/apps/', { id: app })
        await post(client, `/v2/apps/${app}/config/`, { values: { PORT: '5000', WORD: `word ${index}` } })
        await post(client, `/v2/apps/${app}/builds/`, { image: 'example/app:1', procfile: { web: 'serve' } })
        await post(client, `/v2/apps/${app}/scale/`, { web: 2 })
        const common = shared[index % shared.length]!
        const key = `KEY_${index}`
        if (await post(client, `/v2/apps/${common}/config/`, { values: { [key]: String(index) } }))
          answered.push({ app: common, key })
      }
    }),
  )
  const seconds = (performance.now() - began) / 1_000
  return { seconds, requests, busy, errors, lost: await lostOf(clients[0]!, apps, shared, answered) }
}

async function lostOf(
  client: Client,
  apps: number,
  shared: readonly string[],
  answered: readonly { readonly app: string; readonly key: string }[],
): Promise<readonly string[]> {
  const lost: string[] = []
  for (const app of shared) {
    const { values } = await client.expect(200, 'GET', `/v2/apps/${app}/config/`)
    for (const { key } of answered.filter(each => each.app === app)) if (!(key in values)) lost.push(`${app} ${key}`)
  }
  for (let index = 0; index < apps; index++) {
    const app = appName(index)
    const { structure } = await client.expect(200, 'GET', `/v2/apps/${app}/`)
    if (structure.web !== 2) lost.push(`${app} ${JSON.stringify(structure)}`)
    const { values } = await client.expect(200, 'GET', `/v2/apps/${app}/config/`)
    if (values.WORD !== `word ${index}`) lost.push(`${app} WORD=${values.WORD}`)
  }
  return lost
}
