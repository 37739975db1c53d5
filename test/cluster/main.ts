// Keeps a cluster for work by hand: it runs until it is told to go down, and survives this program.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { say } from './command.ts'
import { kubeconfigFile } from './credentials.ts'
import { logFile, recorded } from './daemon.ts'
import { buildImage, loadArchive } from './images.ts'
import { NodeRuntime } from './node.ts'
import { platformImageArchive, platformImages } from './platform-images.ts'
import { sweep } from './sweep.ts'

const directory = '/var/tmp/deis-cluster'

const usage = `A Kubernetes of one node on this machine, kept in ${directory}.

  node test/cluster/main.ts up               build what is missing, start, wait until it is ready
  node test/cluster/main.ts down             end every pod and process and undo every change to the machine
  node test/cluster/main.ts env              print the shell commands that set KUBECONFIG and PATH for kubectl
  node test/cluster/main.ts load TAR...      give the node the images of OCI or Docker archives
  node test/cluster/main.ts image DIR NAME   build DIR/Dockerfile as NAME (localhost/router:1) and give it to the node
  node test/cluster/main.ts router           build the router's image and give it to the node: ${platformImages.router}
  node test/cluster/main.ts logs COMPONENT   print a component's log; without COMPONENT, the names of those there are

Up takes root, Debian and Go 1.26 or later. Pods find in the node: localhost/echo:1.
`

class UsageError extends Error {}

const isUp = () => recorded(directory).length > 0

function requireUp(): void {
  if (!isUp()) throw new Error('there is no cluster; start it with: node test/cluster/main.ts up')
}

async function up(): Promise<void> {
  if (isUp()) return say('is up already')
  // What is there was left by a machine that went down with it.
  await sweep(directory)
  await new NodeRuntime({ directory, detached: true }).start()
  say('is up; for kubectl: eval "$(node test/cluster/main.ts env)"')
}

async function down(): Promise<void> {
  if (!existsSync(directory)) return say('there is none')
  await sweep(directory)
  say('is down')
}

function env(): void {
  requireUp()
  process.stdout.write(`export KUBECONFIG=${kubeconfigFile(directory, 'admin')} PATH=${join(directory, 'bin')}:$PATH\n`)
}

async function load(archives: readonly string[]): Promise<void> {
  if (archives.length === 0) throw new UsageError('load takes one archive or more')
  requireUp()
  for (const archive of archives) await loadArchive(resolve(archive))
}

async function image([source, name, ...rest]: readonly string[]): Promise<void> {
  if (!source || !name || rest.length > 0) throw new UsageError('image takes a directory and a name')
  requireUp()
  await buildImage(directory, resolve(source), name)
}

async function router(): Promise<void> {
  requireUp()
  await loadArchive(await platformImageArchive('router'))
}

function logs([component, ...rest]: readonly string[]): void {
  if (rest.length > 0) throw new UsageError('logs takes the name of one component')
  requireUp()
  const components = readdirSync(join(directory, 'log'), { withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => entry.name)
  if (component === undefined) process.stdout.write(`${components.join('\n')}\n`)
  else if (components.includes(component)) process.stdout.write(readFileSync(logFile(directory, component)))
  else throw new UsageError(`no component ${component}; there are ${components.join(', ')}`)
}

async function main(args: readonly string[]): Promise<void> {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { help: { type: 'boolean', short: 'h' } },
  })
  const [verb, ...rest] = positionals
  if (values.help) return void process.stdout.write(usage)
  if (verb === 'load') return load(rest)
  if (verb === 'image') return image(rest)
  if (verb === 'logs') return logs(rest)
  if (rest.length > 0) throw new UsageError(`${verb} takes no arguments`)
  if (verb === 'up') return up()
  if (verb === 'down') return down()
  if (verb === 'env') return env()
  if (verb === 'router') return router()
  throw new UsageError(verb === undefined ? '' : `no verb ${verb}`)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  const { message, code, cause } = error as NodeJS.ErrnoException
  const misused = error instanceof UsageError || code?.startsWith('ERR_PARSE_ARGS')
  if (message) say(message)
  if (cause instanceof Error) say(`because: ${cause.message}`)
  if (misused) process.stderr.write(usage)
  // EX_USAGE and EX_UNAVAILABLE of sysexits.h. Not exit(): output to a pipe may still be on its way.
  process.exitCode = misused ? 64 : 69
}
