// The API against its own document, as schemathesis sees it.

import { describe, expect, test } from 'vitest'
import { builderKey, ControllerStage, quick } from '#test/support/controller-stage.ts'
import { startTenantRoutes } from '#test/support/tenant-routes.ts'
import { schemathesis } from './schemathesis.ts'

/** Not streams, which do not end, nor what takes the caller's own token away, nor commands for this machine to run. */
const exclude = '/events/|/auth/(tokens|cancel)/|/run/'

// Side by side: each is a process of Python that asks one controller.
describe.concurrent('no 5xx, and no answer that the document does not tell of', () => {
  test('with the token of an administrator', { timeout: 600_000 }, async () => {
    // Without a router to ask, explanations are 503.
    await using routes = await startTenantRoutes()
    await using stage = await ControllerStage.start({ times: quick, env: { DEIS_ROUTER_ADMIN_URL: routes.admin } })
    const token = await stage.user('alice')
    await stage.app(token, 'shop')
    const { succeeded, report, count } = await schemathesis({
      url: `${stage.url}/v2/openapi.json`,
      headers: { Authorization: `token ${token}` },
      exclude: `${exclude}|/hooks/`,
      excludedOperations: ['DELETE /v2/apps/{id}/', 'POST /v2/apps/{id}/'],
      parameters: { 'path.id': 'shop' },
      directory: stage.directory,
      examples: 8,
    })
    expect(succeeded ? '' : report).toBe('')
    expect(count, report).toBeGreaterThan(500)
    expect(stage.log.filter(({ level }) => level === 'error')).toEqual([])
  })

  test('with the key of the builder', { timeout: 600_000 }, async () => {
    await using stage = await ControllerStage.start({ times: quick })
    const token = await stage.user('alice')
    await stage.app(token, 'shop')
    const { succeeded, report, count } = await schemathesis({
      url: `${stage.url}/v2/openapi.json`,
      headers: { 'X-Deis-Builder-Auth': builderKey },
      include: '/hooks/',
      parameters: {
        'path.id': 'shop',
        'path.username': 'alice',
        'body.receive_repo': 'shop',
        'body.receive_user': 'alice',
      },
      directory: stage.directory,
      examples: 30,
    })
    expect(succeeded ? '' : report).toBe('')
    expect(count, report).toBeGreaterThan(50)
    expect(stage.log.filter(({ level }) => level === 'error')).toEqual([])
  })
})
