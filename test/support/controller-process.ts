// The controller as an operator runs it, and its API.

import { LoggedProcess } from './logged-process.ts'

export interface ApiReply {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it in their own ways
  readonly body: any
}

/** `lines` are those of apps. */
export class ControllerProcess extends LoggedProcess {
  /** Ports are the kernel's choice unless `args` say otherwise. */
  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    super('controller/main.ts', ['--port', '0', '--admin-port', '0', ...args], env)
  }

  /** Of the API, once it is up. */
  get port(): Promise<number> {
    return this.until('the API was up', () => {
      const line = this.log.find(({ message }) => message === 'the API is up')
      return line === undefined ? undefined : (line.port as number)
    })
  }

  async call(method: string, path: string, token: string | null = null, body?: unknown): Promise<ApiReply> {
    const response = await fetch(`http://127.0.0.1:${await this.port}${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(token === null ? {} : { authorization: `token ${token}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type') === 'application/json' && text !== ''
    return { status: response.status, body: isJson ? JSON.parse(text) : text }
  }

  /** Registers a user, and logs in. Returns the token. */
  async user(username: string): Promise<string> {
    const password = `password of ${username}`
    await this.call('POST', '/v2/auth/register/', null, { username, password, email: '' })
    const { status, body } = await this.call('POST', '/v2/auth/login/', null, { username, password })
    if (status !== 200) throw new Error(`${username} could not log in: ${JSON.stringify(body)}`)
    return body.token
  }
}
