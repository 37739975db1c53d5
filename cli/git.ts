// Remotes of the repository around a directory, by git itself.

import { spawn } from 'node:child_process'
import { builderHostOf, type ControllerUrl, isLocalName } from './controller-url.ts'
import { Fault } from './fault.ts'
import type { Surroundings } from './surroundings.ts'

export interface Remote {
  readonly name: string
  readonly url: string
}

const builderPort = 2222

export class Repository {
  readonly #around: Pick<Surroundings, 'directory' | 'env' | 'resolves'>
  readonly #controller: ControllerUrl

  constructor(around: Pick<Surroundings, 'directory' | 'env' | 'resolves'>, controller: ControllerUrl) {
    this.#around = around
    this.#controller = controller
  }

  /** Where to push the app to. */
  async urlOf(app: string): Promise<string> {
    const { host, port } = await this.builder()
    return `ssh://git@${host}:${port}/${app}.git`
  }

  /** Names under `localhost` are ours to know, but git asks the system: where that has no answer, it is `localhost`. */
  async builder(): Promise<{ readonly host: string; readonly port: number }> {
    const { env, resolves } = this.#around
    const { DEIS_BUILDER_PORT: text = '' } = env
    const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : builderPort
    const host = builderHostOf(this.#controller)
    const isUnknown = isLocalName(host) && isLocalName(this.#controller.hostname) && !(await resolves(host))
    return { host: isUnknown ? 'localhost' : host, port }
  }

  /** The app that pushes of this directory go to; null without such a remote, and when git does not work here. */
  async app(): Promise<string | null> {
    const remotes = await this.remotes().catch(() => [])
    const found = remotes.find(({ url }) => this.isBuilder(url))
    return found === undefined ? null : appOf(found.url)
  }

  isBuilder(url: string): boolean {
    if (url.includes(builderHostOf(this.#controller))) return true
    return isLocalName(this.#controller.hostname) && url.startsWith('ssh://git@localhost:')
  }

  /** Those that pushes may go to. */
  async remotes(): Promise<readonly Remote[]> {
    const text = await this.#git('remote', '-v')
    return text.split('\n').flatMap(line => {
      const [, name, url] = /^(\S+)\t(.+) \(push\)$/.exec(line) ?? []
      return name === undefined || url === undefined ? [] : [{ name, url }]
    })
  }

  async add(name: string, app: string): Promise<void> {
    await this.#git('remote', 'add', '--', name, await this.urlOf(app))
  }

  async remove(name: string): Promise<void> {
    await this.#git('remote', 'remove', '--', name)
  }

  /** Removes all remotes that lead to just this app. */
  async removeAll(app: string): Promise<void> {
    const { port } = await this.builder()
    const urls = new Set([
      await this.urlOf(app),
      `ssh://git@${builderHostOf(this.#controller)}:${port}/${app}.git`,
      ...(isLocalName(this.#controller.hostname) ? [`ssh://git@localhost:${port}/${app}.git`] : []),
    ])
    for (const { name, url } of await this.remotes()) if (urls.has(url)) await this.remove(name)
  }

  /** Its output. Throws a Fault with what git says. */
  #git(...args: string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const { directory, env } = this.#around
      const child = spawn('git', args, {
        cwd: directory,
        // Its texts are looked at, so they must not be in another language.
        env: { ...env, LC_ALL: 'C' },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let output = ''
      let errors = ''
      child.stdout.setEncoding('utf8').on('data', text => (output += text))
      child.stderr.setEncoding('utf8').on('data', text => (errors += text))
      child.once('error', ({ code, message }: NodeJS.ErrnoException) =>
        reject(new Fault(code === 'ENOENT' ? 'git was not found in PATH' : `git cannot be run: ${message}`)),
      )
      child.once('close', code => {
        if (code === 0) resolve(output)
        else reject(new Fault(errors.trim() || `git ${args[0]} ended with status ${code}`))
      })
    })
  }
}

/** Last part of the path, up to its first dot. */
export function appOf(url: string): string {
  return url.split('/').at(-1)!.split('.')[0]!
}
