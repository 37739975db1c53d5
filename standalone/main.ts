// Everything on one machine, without a cluster: the router on a directory of manifests, in front of two example apps.

import { relative, resolve } from 'node:path'
import { exitCode, explainExit, StartupError } from '#kit/exit.ts'
import { createLogger } from '#kit/log.ts'
import { onShutdown } from '#kit/shutdown.ts'
import { version } from '#kit/version.ts'
import { parseConfig } from '#router/config.ts'
import { startRouter } from '#router/router.ts'
import { claimData } from './claim.ts'
import { ExampleApp } from './example-apps.ts'
import { prepareManifests, writeEndpoints } from './manifests.ts'

const help = `Usage: npm start -- [--data DIR] [router options]

Runs the router on this machine in front of two example apps. Manifests are in DIR/manifests (DIR: ./data);
they are made from examples/manifests on the first start and are yours after that.

  --data DIR     where the manifests are kept (default ./data)
  --help         this text

All options of the router work too, for example --http-port 8081 --https-port 6444 --admin-port 9091.
See: node router/main.ts --help
`

function leave(error: unknown): never {
  const { line, code } = explainExit('npm start', error)
  process.stderr.write(`${line}\n`)
  process.exit(code)
}

/** Takes `--data DIR` or `--data=DIR` out of the arguments. */
function takeData(args: readonly string[]): { data: string; rest: readonly string[] } {
  const at = args.findIndex(arg => arg === '--data' || arg.startsWith('--data='))
  if (at < 0) return { data: 'data', rest: args }
  const joined = args[at]!.startsWith('--data=')
  const data = joined ? args[at]!.slice('--data='.length) : args[at + 1]
  if (data === undefined || data === '' || data.startsWith('-'))
    throw new StartupError(exitCode.usage, '--data needs a directory')
  return { data, rest: args.toSpliced(at, joined ? 1 : 2) }
}

/** What the file system refused, as one line for the person who chose the directory. */
function unusable(error: unknown, data: string): unknown {
  if (error instanceof StartupError || !(error instanceof Error)) return error
  return new StartupError(exitCode.usage, `--data ${data} cannot be used: ${error.message}`)
}

async function start(args: readonly string[]): Promise<void> {
  const { data, rest } = takeData(args)
  const manifests = resolve(data, 'manifests')
  const router = ['--manifests', manifests, '--address', '127.0.0.1', '--drain-timeout', '3', ...rest]
  const command = parseConfig(router, { ...process.env, POD_NAMESPACE: process.env.POD_NAMESPACE ?? 'deis' }, version)
  if (command.kind === 'print') {
    process.stdout.write(command.text)
    return
  }
  await using stack = new AsyncDisposableStack()
  try {
    stack.use(claimData(resolve(data)))
    prepareManifests(manifests)
  } catch (error) {
    throw unusable(error, data)
  }
  const apps = await Promise.all(['hello-1', 'hello-2'].map(name => ExampleApp.start(name)))
  for (const app of apps) stack.use(app)
  try {
    writeEndpoints(
      manifests,
      apps.map(app => app.port),
    )
  } catch (error) {
    throw unusable(error, data)
  }
  const running = await startRouter(command.config, { log: createLogger({ level: 'warn' }), onFatal: leave, grace: 0 })
  const stopped = Promise.withResolvers<void>()
  onShutdown(() => void running.stop().then(stopped.resolve, stopped.reject))
  const ports = await Promise.race([running.ready, stopped.promise])
  if (ports !== undefined) {
    process.stdout.write(`
The router is up. Try

  http://hello.localhost:${ports.httpPort}/     an example app, twice behind one name
  https://hello.localhost:${ports.httpsPort}/    the same, with a self-signed certificate (curl -k)
  http://127.0.0.1:${ports.adminPort}/           health, metrics, problems, routes

Edit ${relative(process.cwd(), `${manifests}/hello.yaml`)}, for example router.deis.io/domains: hello.localhost, hi.localhost
and ask again: the change is live as soon as you save. Ctrl-C stops everything. Requests are logged below.

`)
  }
  await stopped.promise
}

if (process.argv.includes('--help')) process.stdout.write(help)
else await start(process.argv.slice(2)).then(() => process.exit(exitCode.ok), leave)
