// `GET /v2/router/explain?url=`: why a URL is answered as it is, as the router has it. Everybody may ask; who does not run the
// platform learns of others only that they are there.

import type { Explanation } from '#kit/explanation.ts'
import { viewOf } from '../domain/explanation-view.ts'
import { Refusal } from '../domain/refusal.ts'
import type { RouterAdmin } from '../router-admin.ts'
import type { Store } from '../store/store.ts'
import type { Authentication } from './authentication.ts'
import { explanationShape } from './explanation-shape.ts'
import { type Caller, ok, operation, type Resource, resource } from './resource.ts'

/** As many apps of one user are told of. */
export const mostApps = 100

export function explain(store: Store, authentication: Authentication, router: RouterAdmin): readonly Resource[] {
  return [
    resource('/v2/router/explain', authentication.anyUser, {
      GET: operation({
        summary: 'What answers for a URL, and why: route, certificate, policies, endpoints, and who else wanted it.',
        query: { url: { description: 'Such as https://www.example.com/path', schema: { type: 'string' } } },
        answers: { 200: explanationShape },
        handle: async ({ user }: Caller, call) => {
          const { url } = call.query
          if (typeof url !== 'string' || url === '') throw new Refusal('illogical', 'url is a required parameter')
          const apps = user.isSuperuser ? null : await appsOf(store, user.username)
          const answer = explanationShape.safeParse(await router.explain(url, apps, call.gone))
          if (!answer.success)
            throw new Refusal('unavailable', 'The router answered something else than was asked for.')
          const explanation: Explanation = answer.data
          return ok(apps === null ? explanation : viewOf(explanation, namespace => apps.includes(namespace)))
        },
      }),
    }),
  ]
}

/** Those that a user may use; their namespaces are called the same. */
export async function appsOf(store: Store, username: string): Promise<readonly string[]> {
  const { results } = await store.apps.list(username, { limit: mostApps, offset: 0 })
  return results.map(({ id }) => id)
}
