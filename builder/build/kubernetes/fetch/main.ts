// First container of a build: fetches the source from the builder, and the buildpack that the app names. It runs in the
// Pod, from our own image, and says to the pusher what goes wrong.

import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout } from 'node:timers/promises'
import { fetchBuildpack } from './buildpack.ts'

const tries = 5
const timeout = 600_000

/** Asking again does not help. */
class Refusal extends Error {}

const { SOURCE_URL = '', SOURCE_TOKEN = '', SOURCE_DIRECTORY = '' } = process.env
const { BUILDPACK_URL = '', BUILDPACK_DIRECTORY = '', SSH_KEY = '', HOME = '/tmp' } = process.env

async function fetchSource(): Promise<void> {
  const headers = { authorization: `Bearer ${SOURCE_TOKEN}` }
  const response = await fetch(SOURCE_URL, { headers, redirect: 'error', signal: AbortSignal.timeout(timeout) })
  if (response.status === 404 || response.status === 410) throw new Refusal('it is not to be had any more')
  if (response.status !== 200 || response.body === null) throw new Error(`the builder answers ${response.status}`)
  const tar = spawn('tar', ['-xzf', '-', '-C', SOURCE_DIRECTORY, '--no-same-owner'], {
    stdio: ['pipe', 'ignore', 'inherit'],
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' },
  })
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>()
  tar.once('error', reject)
  tar.once('close', code => (code === 0 ? resolve() : reject(new Error(`it cannot be unpacked (tar: ${code})`))))
  const piped = pipeline(Readable.fromWeb(response.body), tar.stdin).catch((error: Error) => {
    tar.kill('SIGKILL')
    throw error
  })
  // Both, so that none is left behind; a connection that broke is the cause of what tar complains of then.
  const [fetched, unpacked] = await Promise.allSettled([piped, ended])
  if (fetched.status === 'rejected') throw fetched.reason
  // All of it came, and will not be better a second time.
  if (unpacked.status === 'rejected') throw new Refusal((unpacked.reason as Error).message)
}

async function main(): Promise<void> {
  await mkdir(SOURCE_DIRECTORY, { recursive: true })
  for (let attempt = 1; ; attempt++) {
    try {
      await fetchSource()
      break
    } catch (error) {
      if (error instanceof Refusal || attempt === tries)
        throw new Error(`The source cannot be fetched: ${textOf(error)}.`)
      await setTimeout(500 * 2 ** attempt)
    }
  }
  if (BUILDPACK_URL === '') return
  process.stdout.write('-----> Fetching custom buildpack\n')
  await fetchBuildpack({ url: BUILDPACK_URL, directory: BUILDPACK_DIRECTORY, key: SSH_KEY, home: HOME })
}

function textOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error ? `${message} (${(cause as NodeJS.ErrnoException).code ?? cause.message})` : message
}

try {
  await main()
} catch (error) {
  process.stdout.write(`       ${(error as Error).message}\n`)
  process.exitCode = 1
}
