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
/**
 * Of images that Cloud Native Buildpacks made: only by it what they brought is on the path and in the environment. One
 * argument is a line for a shell (Buildpack Interface Specification, "Launch").
 */
const launcher = ['/cnb/lifecycle/launcher']
/** A type that buildpacks defined has a program of its own, which knows arguments, directory and environment of it. */
const ownProgram = /^\/cnb\/process\/[A-Za-z0-9._-]+$/

export function commandOf(build: Built, type: string): Command {
  const kind = buildKind(build)
  if (kind === 'slug') return { command: slugRunner, args: ['start', type] }
  const line = own(build.procfile, type)
  if (line === undefined) return { command: null, args: null }
  if (kind === 'buildpack') return ownProgram.test(line) ? { command: [line], args: null } : launched(line)
  // The image's own entry point takes the place of a shell.
  if (type === 'cmd') return { command: null, args: splitWords(line) }
  return { command: shell, args: [line] }
}

/** For a one-off command. */
export function runCommandOf(build: Built, line: string): Command {
  switch (buildKind(build)) {
    case 'slug':
      return { command: slugRunner, args: [line] }
    case 'buildpack':
      return launched(line)
    case 'dockerfile':
    case 'image':
      return { command: shell, args: [line] }
  }
}

function launched(line: string): Command {
  return { command: launcher, args: [line] }
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
