// The program versitygw: a server of the S3 API that keeps objects in a directory. Built once from its Go module into the
// cache of the cluster suite.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { S3Target } from '#store/s3/target.ts'
import { cached } from '#test/cluster/binaries.ts'
import { run, say } from '#test/cluster/command.ts'
import { freePort } from '#test/cluster/control-plane.ts'

const version = 'v1.8.0'

/** The path of the program, built now (two minutes) if it never was. */
export async function versitygw(): Promise<string> {
  const flags = ['-trimpath', '-ldflags', '-s -w']
  const entry = await cached('versitygw', [version, ...flags, process.arch], async target => {
    say('building versitygw: about two minutes the first time')
    const install = ['-n', '10', 'go', 'install', ...flags, `github.com/versity/versitygw/cmd/versitygw@${version}`]
    await run('nice', install, { env: { CGO_ENABLED: '0', GOBIN: target } })
  })
  return join(entry, 'versitygw')
}

/** A server of its own, with nothing in it. */
export class S3Server implements AsyncDisposable {
  readonly directory: string
  readonly address: string
  readonly port: number
  readonly #program: string
  #child: ChildProcess | null = null
  #said = ''

  private constructor(program: string, directory: string, address: string, port: number) {
    this.#program = program
    this.directory = directory
    this.address = address
    this.port = port
  }

  static async start(address = '127.0.0.1'): Promise<S3Server> {
    const program = await versitygw()
    const directory = await mkdtemp(join(tmpdir(), 'deis-s3-'))
    const server = new S3Server(program, directory, address, await freePort(address))
    for (const name of ['objects', 'sidecar']) await mkdir(join(directory, name))
    await server.resume()
    return server
  }

  get endpoint(): string {
    return `http://${this.address}:${this.port}`
  }

  target(bucket: string, prefix = ''): S3Target {
    return {
      kind: 's3',
      endpoint: this.endpoint,
      region: 'us-east-1',
      bucket,
      prefix,
      credentials: { accessKeyId: 'deis', secretAccessKey: 'deis-secret' },
      pathStyle: true,
    }
  }

  /** Kills it; what it keeps stays. */
  async halt(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  /** Starts it again. */
  async resume(): Promise<void> {
    // In files beside the objects: not every file system has extended attributes.
    const place = ['posix', '--sidecar', join(this.directory, 'sidecar'), join(this.directory, 'objects')]
    const child = spawn(
      this.#program,
      ['--port', `${this.address}:${this.port}`, '--quiet', '--keep-alive', ...place],
      {
        env: { ROOT_ACCESS_KEY: 'deis', ROOT_SECRET_KEY: 'deis-secret', HOME: this.directory, TMPDIR: this.directory },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    this.#child = child
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        this.#said = (this.#said + chunk.toString()).slice(-4096)
      })
    for (;;) {
      if (child.exitCode !== null) throw new Error(`versitygw ended with ${child.exitCode}\n${this.#said}`)
      // Any answer will do.
      if (
        await fetch(`${this.endpoint}/`).then(
          response => response.arrayBuffer(),
          () => null,
        )
      )
        return
      await setTimeout(20)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.halt()
    await rm(this.directory, { recursive: true })
  }
}
