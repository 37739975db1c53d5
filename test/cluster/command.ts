// Runs a program to its end.

import { spawn } from 'node:child_process'

// Administration tools live in sbin, which the PATH of an ordinary shell leaves out.
export const toolPath = [process.env.PATH, '/usr/local/sbin', '/usr/sbin', '/sbin'].filter(Boolean).join(':')

export interface CommandOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  /** Milliseconds until the program is killed; without it, it may take as long as it likes. */
  readonly timeout?: number
}

/** Resolves to what the program printed; rejects with the end of its stderr if it fails or cannot be run. */
export function run(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, PATH: toolPath, ...options.env },
    timeout: options.timeout,
    killSignal: 'SIGKILL',
  })
  const output: Buffer[] = []
  let complaint = ''
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-4096)
  })
  child.on('error', cause => reject(new Error(`${command} cannot be run: ${cause.message}`, { cause })))
  child.on('close', (code, signal) => {
    if (code === 0) resolve(Buffer.concat(output).toString())
    else reject(new Error(`${command} ${args[0] ?? ''} ended with ${code ?? signal}\n${complaint.trimEnd()}`))
  })
  // A program that does not read its input ends with a broken pipe here; its exit code tells how it went.
  child.stdin.on('error', () => {})
  child.stdin.end(options.input ?? '')
  return promise
}

/** Tells the person at the terminal why it takes time. */
export function say(text: string): void {
  process.stderr.write(`cluster: ${text}\n`)
}
