// The platform of one machine as a Site: its user has a home of his own, the `deis` command of this tree, and the real git
// and ssh.

import { execFile, spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Ended, ended } from '#test/support/builder-stage.ts'
import type { NpmStartPorts } from '#test/support/npm-start.ts'
import type { Site } from './site.ts'

const deis = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))

/** `home`: made, with a key for ssh that has this name. */
export async function localSite(
  { http, https, builder }: NpmStartPorts,
  home: string,
  keyName = 'alice',
): Promise<Site> {
  const directory = join(home, '.ssh')
  const key = join(directory, 'id_ed25519')
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', keyName, '-f', key])
  const ssh = [
    ...['ssh', '-F', '/dev/null', '-i', key, '-o', 'IdentitiesOnly=yes', '-o', 'IdentityAgent=none'],
    ...['-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=accept-new', '-o', 'LogLevel=ERROR'],
    ...['-o', `UserKnownHostsFile=${join(directory, 'known_hosts')}`],
  ]
  const env = {
    ...{ PATH: process.env.PATH, HOME: home, LC_ALL: 'C.UTF-8', DEIS_BUILDER_PORT: String(builder) },
    ...{ GIT_CONFIG_NOSYSTEM: '1', GIT_SSH_COMMAND: ssh.join(' ') },
    ...{
      GIT_AUTHOR_NAME: 'alice',
      GIT_AUTHOR_EMAIL: 'a@b.c',
      GIT_COMMITTER_NAME: 'alice',
      GIT_COMMITTER_EMAIL: 'a@b.c',
    },
  }
  const run = (cwd: string, program: string, args: readonly string[]): Promise<Ended> =>
    ended(spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] }))
  return {
    controller: `http://deis.localhost:${http}`,
    platformDomain: 'localhost',
    http: { address: '127.0.0.1', port: http },
    https: { address: '127.0.0.1', port: https },
    home,
    deis: (cwd, ...args) => run(cwd, process.execPath, [deis, ...args]),
    git: (cwd, ...args) => run(cwd, 'git', args),
  }
}
