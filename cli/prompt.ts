// Questions to the person at the terminal, or to what is piped in: a line for each.

import { StringDecoder } from 'node:string_decoder'
import { Fault } from './fault.ts'
import type { Output } from './output/output.ts'
import type { Input } from './surroundings.ts'

/** Of an answer, characters. */
const longest = 64 * 1024

export class Prompt {
  readonly #stdin: Input
  readonly #output: Output
  /** A letter may come in pieces. */
  readonly #decoder = new StringDecoder('utf8')
  #rest = ''
  #hasEnded = false

  constructor(stdin: Input, output: Output) {
    this.#stdin = stdin
    this.#output = output
  }

  get isTerminal(): boolean {
    return this.#stdin.isTTY === true
  }

  /** The answer without its line end; empty when there is none. */
  async ask(question: string): Promise<string> {
    this.#output.print(question)
    return (await this.#line()).trim()
  }

  /** As `ask`, but a terminal does not show what is typed. */
  async askSecretly(question: string): Promise<string> {
    if (!this.isTerminal || this.#stdin.setRawMode === undefined) {
      this.#output.print(question)
      const answer = await this.#line()
      this.#output.line()
      return answer
    }
    // Before the question: who is quick must not be shown what he types.
    this.#stdin.setRawMode(true)
    try {
      this.#output.print(question)
      return await this.#typed()
    } finally {
      this.#stdin.setRawMode(false)
      this.#output.line()
    }
  }

  /** Everything that is piped in. */
  async all(): Promise<string> {
    while (!this.#hasEnded) await this.#more()
    const text = this.#rest
    this.#rest = ''
    return text
  }

  async #line(): Promise<string> {
    while (!this.#rest.includes('\n') && !this.#hasEnded) await this.#more()
    const end = this.#rest.indexOf('\n')
    const line = end === -1 ? this.#rest : this.#rest.slice(0, end)
    this.#rest = end === -1 ? '' : this.#rest.slice(end + 1)
    return line.replace(/\r$/, '')
  }

  /** What is typed until Enter: in raw mode nobody else cares for the keys. */
  async #typed(): Promise<string> {
    let answer = ''
    for (;;) {
      while (this.#rest === '' && !this.#hasEnded) await this.#more()
      if (this.#rest === '') return answer
      for (const [at, key] of [...this.#rest].entries()) {
        if (key === '\r' || key === '\n' || key === '\x04') {
          this.#rest = [...this.#rest].slice(at + 1).join('')
          return answer
        }
        if (key === '\x03') throw new Fault('Interrupted')
        answer = key === '\x7f' || key === '\b' ? [...answer].slice(0, -1).join('') : answer + key
      }
      this.#rest = ''
    }
  }

  #more(): Promise<void> {
    if (this.#rest.length > longest * 16) throw new Fault('What is piped in is too long')
    const stdin = this.#stdin
    return new Promise((resolve, reject) => {
      const data = (part: Buffer | string): void => {
        this.#rest += typeof part === 'string' ? part : this.#decoder.write(part)
        leave()
      }
      const end = (): void => {
        if (!this.#hasEnded) this.#rest += this.#decoder.end()
        this.#hasEnded = true
        leave()
      }
      const failed = (error: Error): void => {
        reject(error)
        leave()
      }
      const leave = (): void => {
        stdin.off('data', data).off('end', end).off('close', end).off('error', failed)
        // Nobody listens: the process may end.
        stdin.pause()
        resolve()
      }
      stdin.on('data', data).on('end', end).on('close', end).on('error', failed)
      if (stdin.readableEnded || stdin.destroyed) end()
      else stdin.resume()
    })
  }
}
