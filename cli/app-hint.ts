// Which app somebody may have meant who named one that is not there.

import { basename } from 'node:path'
import type { Context } from './context.ts'
import { nearest } from './nearest.ts'

/** Milliseconds: it is a courtesy. */
const patience = 2_000

export async function hintForApp(words: readonly string[], context: Context): Promise<readonly string[]> {
  const given = words
    .map((word, at) => (word === '-a' || word === '--app' ? words[at + 1] : /^(?:--app=|-a)(.+)$/.exec(word)?.[1]))
    .find(word => word !== undefined)
  const name = given ?? basename(context.around.directory).toLowerCase()
  try {
    const { results } = await (await context.client()).page<{ id: string }>('/apps/', 100, { timeout: patience })
    const meant = nearest(
      name,
      results.map(({ id }) => id),
    )
    if (meant !== null && meant !== name) return [`Did you mean the app ${meant}?`]
  } catch {
    // The error that brought us here is told already.
  }
  return given === undefined
    ? ['The app is named by --app, or by a git remote of this directory: deis git:remote -a <app>']
    : ["'deis apps' lists those that you have access to."]
}
