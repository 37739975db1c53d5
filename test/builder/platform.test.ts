// The whole way on one machine: git push over SSH, a build, our registry, a release of the controller, processes, and the
// router in front, under requests all the while.

import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ask, example, LocalPlatform, visitors } from '#test/support/local-platform.ts'

test('a push is a running app; pushes of a new version, a broken one and none lose no request', {
  timeout: 120_000,
}, async () => {
  await using platform = await LocalPlatform.start()
  const { stage, router } = platform
  const person = await stage.person()
  const host = await platform.app(person, 'shop')
  const files = await example('node-app', 'server.js', 'package.json')
  const repository = await person.repository(files)

  const first = await person.push(repository, 'shop')
  expect(first.err).toContain('Starting build... but first, coffee!')
  expect(first.err).toMatch(/web/)
  expect(first.err).toContain('Done, shop:v2 deployed to Workflow')
  expect(first.code).toBe(0)
  const live = async (word: RegExp) => {
    for (;;) {
      const { status, text } = await ask(router.httpPort, host)
      if (status === 200 && word.test(text)) return text
      await delay(10)
    }
  }
  await live(/v2/)

  const { sent, failed } = await visitors(router.httpPort, host, 10, async () => {
    await person.commit(repository, { 'server.js': `${files['server.js']}\n// another version\n` })
    expect((await person.push(repository, 'shop')).code).toBe(0)
    await live(/v3/)
    await person.commit(repository, { Procfile: 'web: exit 7\n' })
    const broken = await person.push(repository, 'shop')
    expect(broken.code).not.toBe(0)
    expect(broken.err).toContain('Rolling back process types to release v3')
    expect(broken.err).toContain('[remote rejected] master -> master (pre-receive hook declined)')
    await live(/v3/)
  })
  expect(failed).toEqual([])
  expect(sent).toBeGreaterThan(50)

  await person.commit(repository, { Procfile: 'web: node server.js\n' })
  expect((await person.push(repository, 'shop')).code).toBe(0)
  expect((await person.push(repository, 'shop')).err).toContain('Everything up-to-date')
})

test('apps of two people with the same image: what one of them writes changes nothing of the other, nor of itself', {
  timeout: 120_000,
}, async () => {
  await using platform = await LocalPlatform.start()
  const { stage, router } = platform
  const files = await example('node-app', 'server.js', 'package.json')
  const apps: { id: string; host: string; token: string }[] = []
  for (const id of ['mine', 'yours']) {
    const person = await stage.person()
    const host = await platform.app(person, id)
    expect((await person.push(await person.repository(files), id)).code).toBe(0)
    apps.push({ id, host, token: person.token })
  }
  const [{ id, token }] = apps as [(typeof apps)[number]]
  const command = 'echo x > f; sed -i s/Hello/Pwned/ server.js; grep -c Pwned server.js'
  for (const time of ['first', 'again']) {
    const { body } = await stage.controller.call('POST', `/v2/apps/${id}/run`, {
      token,
      body: { command: `ls; ${command}` },
    })
    expect([time, body]).toEqual([time, { exit_code: 0, output: 'package.json\nserver.js\n1\n' }])
  }
  for (const { id, host, token } of apps) {
    expect((await stage.controller.call('POST', `/v2/apps/${id}/pods/restart`, { token })).status).toBe(200)
    expect((await ask(router.httpPort, host)).text).toMatch(new RegExp(`^Hello from ${id}`))
  }
})

test('apps of other kinds, pushed side by side', { timeout: 120_000 }, async () => {
  await using platform = await LocalPlatform.start()
  const { stage, router } = platform
  const person = await stage.person()
  const kinds = [
    ['pythonic', await example('python-app', 'app.py', 'requirements.txt', 'Procfile'), /python/i],
    ['static', await example('static-app', 'index.html', 'style.css'), /static/i],
  ] as const
  const pushes = kinds.map(async ([id, files, text]) => {
    const host = await platform.app(person, id)
    const repository = await person.repository(files)
    const pushed = await person.push(repository, id)
    expect([pushed.code, pushed.err]).toEqual([0, expect.stringContaining(`Done, ${id}:v2 deployed to Workflow`)])
    await expect
      .poll(() => ask(router.httpPort, host), { timeout: 10_000 })
      .toMatchObject({
        status: 200,
        text: expect.stringMatching(text),
      })
  })
  await Promise.all(pushes)
})
