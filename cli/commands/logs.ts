// The log of an app: what there is, or what comes too.

import type { Context } from '../context.ts'
import { AnswerFault, Fault } from '../fault.ts'
import type { Colour, Output } from '../output/output.ts'
import { pathOf } from './app-records.ts'

export interface LogOptions {
  /** Not below 0, which is none of those before when it follows; null, and else 0: as many as the controller likes. */
  readonly lines: number | null
  readonly follow: boolean
  /** Null: what the app and the platform say of it. */
  readonly source: string | null
}

export async function showLogs(context: Context, app: string, { lines, follow, source }: LogOptions): Promise<void> {
  const query = new URLSearchParams()
  if (lines !== null && (lines > 0 || follow)) query.set('log_lines', String(lines))
  if (follow) query.set('follow', 'true')
  if (source !== null) query.set('source', source)
  const path = `${pathOf(app)}/logs${query.size === 0 ? '' : `?${query}`}`
  const client = await context.client()
  const { output } = context
  if (follow) {
    const printer = new LinePrinter(output)
    await client
      .stream(path, text => printer.take(text))
      .catch(asNoLogs)
      .finally(() => printer.end())
    return
  }
  const { text } = await client.call('GET', path).catch(asNoLogs)
  // What is shorter cannot be a line.
  if (text.length < 3) throw noLogs()
  const printer = new LinePrinter(output)
  printer.take(text)
  printer.end()
}

/** Whatever the controller's reason, the original tells this. */
function asNoLogs(error: unknown): never {
  if (error instanceof AnswerFault) throw noLogs(error)
  throw error
}

function noLogs(error?: AnswerFault): Fault {
  const reason = error === undefined ? [] : [`The controller says: ${error.message}`]
  return new Fault(
    'There are currently no log messages. Please check the following things:\n' +
      '1) The logger runs, and in a cluster its collector on every node.\n' +
      '2) The application writes to its standard output: deis ps tells whether it runs.\n' +
      '3) The logger gets what it writes: the logs of logger and collector tell.',
    { cause: error, hints: reason },
  )
}

/** Puts together the lines of a text that comes in pieces, and colours them by who speaks. */
class LinePrinter {
  readonly #output: Output
  #rest = ''

  constructor(output: Output) {
    this.#output = output
  }

  take(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()!
    for (const line of lines) this.#print(line)
  }

  end(): void {
    if (this.#rest !== '') this.#print(this.#rest)
    this.#rest = ''
  }

  #print(line: string): void {
    this.#output.printSpeech(`${this.#output.paint(colourOf(line), line)}\n`)
  }
}

const colours: readonly Colour[] = ['red', 'green', 'yellow', 'blue', 'cyan', 'bold']

/** The same speaker has the same colour. Magenta is the platform's. */
export function colourOf(line: string): Colour {
  const [, speaker = line.split(' ', 1)[0]!] = /^\S+ (\S+\[[^\]]*\]):/.exec(line) ?? []
  if (speaker.startsWith('deis[')) return 'magenta'
  let sum = 0
  for (const octet of Buffer.from(speaker)) sum += octet
  return colours[sum % colours.length]!
}
