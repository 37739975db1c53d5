// What a command says: results on stdout, warnings on stderr. Colours and moving signs only where a terminal is, and there
// nothing that others wrote steers it (harmless.ts), whatever command shows it. Files and pipes get all of it as it is.

import type { Environment, Sink } from '../surroundings.ts'
import { type Colours, harmless } from './harmless.ts'

export type Colour = 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan' | 'bold' | 'dim'

const codes: Readonly<Record<Colour, readonly [on: number, off: number]>> = {
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  magenta: [35, 39],
  cyan: [36, 39],
  bold: [1, 22],
  dim: [2, 22],
}

const frames = ['...', 'o..', '.o.', '..o'] as const
/** Between two frames, milliseconds. */
const pace = 400

export class Output {
  readonly isTerminal: boolean
  readonly #stdout: Sink
  readonly #stderr: Sink
  readonly #isErrorTerminal: boolean
  readonly #coloured: boolean
  readonly #colouredErrors: boolean

  constructor(stdout: Sink, stderr: Sink, env: Environment) {
    this.#stdout = stdout
    this.#stderr = stderr
    this.isTerminal = stdout.isTTY === true
    this.#isErrorTerminal = stderr.isTTY === true
    // https://no-color.org: set and not empty.
    const plain = (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb'
    this.#coloured = this.isTerminal && !plain
    this.#colouredErrors = this.#isErrorTerminal && !plain
  }

  print(text: string): void {
    this.#write(text, 'ours')
  }

  line(text = ''): void {
    this.print(`${text}\n`)
  }

  lines(lines: readonly string[]): void {
    for (const line of lines) this.line(line)
  }

  json(document: unknown): void {
    // What JSON lets stand; as it escapes it, the document is the same on a terminal.
    const text = JSON.stringify(document, null, 2).replace(unescaped, escapeOf)
    this.line(text)
  }

  /** On stderr. */
  printError(text: string): void {
    this.#writeError(text, 'ours')
  }

  /** A line on stderr that does not end the command. */
  warn(text: string): void {
    this.printError(`${this.paintError('yellow', text)}\n`)
  }

  /** What an app wrote: its own colours stay. */
  printSpeech(text: string): void {
    this.#write(text, 'all')
  }

  /** As `printSpeech`, on stderr. */
  printErrorSpeech(text: string): void {
    this.#writeError(text, 'all')
  }

  paint(colour: Colour, text: string): string {
    return this.#coloured ? paint(colour, text) : text
  }

  paintError(colour: Colour, text: string): string {
    return this.#colouredErrors ? paint(colour, text) : text
  }

  /** Shows that something is under way; what it says follows what was printed last. When it fails, the line is ended. */
  async progress<T>(work: Promise<T>): Promise<T> {
    const stop = this.isTerminal ? this.#spin() : () => {}
    try {
      const result = await work
      stop()
      return result
    } catch (error) {
      stop()
      this.line()
      throw error
    }
  }

  #write(text: string, colours: Colours): void {
    this.#stdout.write(this.isTerminal ? harmless(text, colours) : text)
  }

  #writeError(text: string, colours: Colours): void {
    this.#stderr.write(this.#isErrorTerminal ? harmless(text, colours) : text)
  }

  /** On a terminal only, which it steers. */
  #spin(): () => void {
    let frame = 0
    this.#stdout.write(frames[0])
    const timer = setInterval(() => {
      frame = (frame + 1) % frames.length
      this.#stdout.write(`\b\b\b${frames[frame]}`)
    }, pace)
    return () => {
      clearInterval(timer)
      this.#stdout.write('\b\b\b   \b\b\b')
    }
  }
}

const unescaped = /[\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function paint(colour: Colour, text: string): string {
  const [on, off] = codes[colour]
  return `\x1b[${on}m${text}\x1b[${off}m`
}
