// Options that no command sees.

export interface Globals {
  /** `--config`; null: not given. */
  readonly profile: string | null
  readonly debug: boolean
}

/** `-c`, `--config` and `--debug` may stand anywhere before `--`, and no command sees them. */
export function takeGlobals(argv: readonly string[]): { readonly words: readonly string[]; readonly globals: Globals } {
  const words: string[] = []
  let profile: string | null = null
  let debug = false
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!
    if (word === '--') {
      words.push(...argv.slice(at))
      break
    }
    if (word === '-c' || word === '--config') profile = argv[++at] ?? ''
    else if (word.startsWith('--config=')) profile = word.slice('--config='.length)
    else if (word === '--debug') debug = true
    else words.push(word)
  }
  return { words, globals: { profile, debug } }
}
