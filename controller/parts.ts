// Whether the parts of the platform answer, for the status page. Asked for at most every few seconds, however many look.

import type { StatusPart } from '#kit/status-page/page.ts'

/** Milliseconds that an answer holds, and that one part may take for it. */
const holds = 5000
const patience = 2000

/** Resolves to whether it is up, or rejects; null: it is not set up. */
export type Check = ((signal: AbortSignal) => Promise<boolean>) | null

export class Parts {
  readonly #checks: Readonly<Record<string, Check>>
  readonly #now: () => number
  #last: { readonly at: number; readonly parts: Promise<readonly StatusPart[]> } | null = null

  /** By name; `now`: milliseconds, only compared with each other. */
  constructor(checks: Readonly<Record<string, Check>>, now: () => number = () => performance.now()) {
    this.#checks = checks
    this.#now = now
  }

  look(): Promise<readonly StatusPart[]> {
    const at = this.#now()
    if (this.#last === null || at - this.#last.at >= holds) this.#last = { at, parts: this.#look() }
    return this.#last.parts
  }

  #look(): Promise<readonly StatusPart[]> {
    return Promise.all(
      Object.entries(this.#checks).map(async ([name, check]): Promise<StatusPart> => {
        if (check === null) return { name, state: 'not set' }
        const late = AbortSignal.timeout(patience)
        const { promise, resolve } = Promise.withResolvers<boolean>()
        late.addEventListener('abort', () => resolve(false))
        check(late).then(resolve, () => resolve(false))
        return { name, state: (await promise) ? 'up' : 'away' }
      }),
    )
  }
}

/** Whether something answers there, whatever it says, but for a failure of its own. */
export function answers(url: URL): Check {
  return async signal => {
    const { request } = await import('undici')
    const { statusCode, body } = await request(url, { signal })
    await body.dump()
    return statusCode < 500
  }
}
