// Who may do what to an app (controller contract, section 2): it is looked for first, so that what is missing is missing
// for everybody, then the rule of `domain/access.ts` decides.

import { forbidden, mayOwn, mayUse } from '../domain/access.ts'
import type { App } from '../domain/app.ts'
import { missing } from '../domain/refusal.ts'
import type { User } from '../domain/user.ts'
import type { Store } from '../store/store.ts'
import type { Authentication } from './authentication.ts'
import type { Access, Call } from './resource.ts'

export interface AppCaller {
  readonly user: User
  readonly app: App
}

export class AppAccess {
  readonly #store: Store
  readonly #authentication: Authentication

  constructor(store: Store, authentication: Authentication) {
    this.#store = store
    this.#authentication = authentication
  }

  /** Owner, administrator, or a collaborator who deletes nothing. The app is named by the parameter `id`. */
  get user(): Access<AppCaller> {
    return { scheme: 'token', admit: call => this.#admit(call, call.method) }
  }

  /** As `user`, but posting is for the owner and administrators: sharing, handing over. */
  get ownerToPost(): Access<AppCaller> {
    return {
      scheme: 'token',
      admit: async call => {
        const caller = await this.#admit(call, call.method)
        if (call.method === 'POST' && !mayOwn(caller.user, caller.app)) throw forbidden()
        return caller
      },
    }
  }

  /** As `user`, but what is deleted is for the operation to judge: it depends on the path. */
  get anyMethod(): Access<AppCaller> {
    return { scheme: 'token', admit: call => this.#admit(call, 'POST') }
  }

  async #admit(call: Call, method: string): Promise<AppCaller> {
    const user = await this.#authentication.required(call)
    const app = await this.#store.apps.find(call.params.id ?? '')
    if (app === null || app.state === 'creating') throw missing('App')
    const granted = !mayOwn(user, app) && (await this.#store.grants.has(app.id, user.username))
    if (!mayUse(user, app, granted, method)) throw forbidden()
    return { user, app }
  }
}
