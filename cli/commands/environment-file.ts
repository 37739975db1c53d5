// A `.env`: what `config:pull` writes and `config:push` reads. A variable is a line `KEY=value`, the value as it is, with the
// quotes and spaces that it has (contract of the command line, sections 3 and 7). A value of several lines would be read back
// as several variables, so it is written as `export KEY="one\ntwo"`: no line that the contract has a meaning for, the original
// client says which line it does not know, and other readers of such files take it as it is meant.

import { compareText } from '#kit/compare-text.ts'
import { Fault } from '../fault.ts'
import { valueText } from '../output/aligned.ts'

type Values = Readonly<Record<string, unknown>>

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n', '\r': '\\r' }
const meanings: Readonly<Record<string, string>> = { n: '\n', r: '\r' }

/** What would not come back from a line of its own; a carriage return at the end counts as Windows' line end. */
const manyLines = /\n|\r$/
const exported = /^export ([A-z_]+[A-z0-9_]*)="((?:[^"\\]|\\[\\"nr])*)"$/

/** A line for each variable, by key. */
export function variableLines(values: Values): string[] {
  return Object.keys(values)
    .sort(compareText)
    .map(key => variableLine(key, valueText(values[key])))
}

function variableLine(key: string, value: string): string {
  if (!manyLines.test(value)) return `${key}=${value}`
  return `export ${key}="${value.replace(/[\\"\n\r]/g, found => escapes[found]!)}"`
}

/** The variables of a file. Throws a Fault for a line that is none. Empty lines and those that begin with `#` are left out. */
export function parseEnvironmentFile(text: string): Record<string, string> {
  const values: Record<string, string> = Object.create(null)
  // Some editors begin a file with a byte order mark.
  for (const each of text.replace(/^\ufeff/, '').split('\n')) {
    const line = each.replace(/^\r+|\r+$/g, '')
    if (line === '') continue
    const [, key, quoted] = exported.exec(line) ?? []
    if (key === undefined) Object.assign(values, parseVariables([line]))
    else values[key] = quoted!.replace(/\\(.)/g, (_, escaped: string) => meanings[escaped] ?? escaped)
  }
  return values
}

/** Throws a Fault. What begins with `#` is a comment. */
export function parseVariables(words: readonly string[]): Record<string, string> {
  const values: Record<string, string> = Object.create(null)
  for (const word of words) {
    if (word.startsWith('#')) continue
    // `A-z` as the original has it: the six characters between Z and a are left to the controller to refuse.
    const [, key, value] = /^([A-z_]+[A-z0-9_]*)=([\s\S]*)$/.exec(word) ?? []
    if (key === undefined) throw new Fault(`'${word}' does not match the pattern 'key=var', ex: MODE=test`)
    values[key] = value!
  }
  return values
}
