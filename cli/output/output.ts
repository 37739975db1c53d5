// What a command says: results on stdout, warnings on stderr. Colours and moving signs only where a terminal is.

import type { Environment, Sink } from '../surroundings.ts'
import { harmless } from './harmless.ts'

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
  readonly #coloured: boolean
  readonly #colouredErrors: boolean

  constructor(stdout: Sink, stderr: Sink, env: Environment) {
    this.#stdout = stdout
    this.#stderr = stderr
    this.isTerminal = stdout.isTTY === true
    // https://no-color.org: set and not empty.
    const plain = (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb'
    this.#coloured = this.isTerminal && !plain
    this.#colouredErrors = stderr.isTTY === true && !plain
  }

  print(text: string): void {
    this.#stdout.write(text)
  }

  line(text = ''): void {
    this.#stdout.write(`${text}\n`)
  }

  lines(lines: readonly string[]): void {
    for (const line of lines) this.line(line)
  }

  json(document: unknown): void {
    this.line(JSON.stringify(document, null, 2))
  }

  /** On stderr, as it is. */
  printError(text: string): void {
    this.#stderr.write(text)
  }

  /** A line on stderr that does not end the command. */
  warn(text: string): void {
    this.#stderr.write(`${this.#colouredErrors ? paint('yellow', text) : text}\n`)
  }

  /** Text of an app: a terminal shows it without being steered by it; files and pipes get it as it is. */
  tame(text: string): string {
    return this.isTerminal ? harmless(text) : text
  }

  /** As `tame`, for stderr. */
  tameError(text: string): string {
    return this.#stderr.isTTY === true ? harmless(text) : text
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

  #spin(): () => void {
    let frame = 0
    this.print(frames[0])
    const timer = setInterval(() => {
      frame = (frame + 1) % frames.length
      this.print(`\b\b\b${frames[frame]}`)
    }, pace)
    return () => {
      clearInterval(timer)
      this.print('\b\b\b   \b\b\b')
    }
  }
}

function paint(colour: Colour, text: string): string {
  const [on, off] = codes[colour]
  return `\x1b[${on}m${text}\x1b[${off}m`
}
