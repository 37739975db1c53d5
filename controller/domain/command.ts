// What containers of a process type run (controller contract, section 8, Command/args).

import { type Build, buildKind } from './app.ts'
import { own } from './json-map.ts'

/** As in a container's spec; null: what the image says. */
export interface Command {
  readonly command: readonly string[] | null
  readonly args: readonly string[] | null
}

type Built = Pick<Build, 'image' | 'sha' | 'dockerfile' | 'procfile'>

const slugRunner = ['/runner/init']
const shell = ['/bin/bash', '-c']

export function commandOf(build: Built, type: string): Command {
  if (buildKind(build) === 'slug') return { command: slugRunner, args: ['start', type] }
  const line = own(build.procfile, type)
  if (line === undefined) return { command: null, args: null }
  // The image's own entry point takes the place of a shell.
  if (type === 'cmd') return { command: null, args: splitWords(line) }
  return { command: shell, args: [line] }
}

/** For a one-off command. */
export function runCommandOf(build: Built, line: string): Command {
  return { command: buildKind(build) === 'slug' ? slugRunner : shell, args: [line] }
}

/** Words as a shell would see them: quotes and backslashes keep blanks, and nothing is expanded. */
export function splitWords(line: string): readonly string[] {
  const words: string[] = []
  let word: string | null = null
  let quote: '"' | "'" | null = null
  for (let index = 0; index < line.length; index++) {
    const character = line[index]!
    if (character === '\\' && quote !== "'" && index + 1 < line.length) {
      const next = line[++index]!
      // Between double quotes a backslash counts before these alone.
      word = (word ?? '') + (quote === '"' && !'"\\$`'.includes(next) ? `\\${next}` : next)
    } else if (quote === null && (character === '"' || character === "'")) {
      quote = character
      word ??= ''
    } else if (character === quote) {
      quote = null
    } else if (quote === null && /\s/.test(character)) {
      if (word !== null) words.push(word)
      word = null
    } else {
      word = (word ?? '') + character
    }
  }
  return word === null ? words : [...words, word]
}
