// What a client may run: a closed list, read without a shell (builder contract, section 2). Pure.

export type SshCommand =
  | { readonly kind: 'ping' }
  | { readonly kind: 'git'; readonly verb: GitVerb; readonly app: string }
  /** A verb of git with a path that names no repository. */
  | { readonly kind: 'nameless' }

export type GitVerb = 'receive-pack' | 'upload-pack'

/** Characters; the longest name of an app has 63. */
const longest = 512

/** Null: not one of ours. */
export function parseCommand(raw: string): SshCommand | null {
  if (raw.length > longest) return null
  // As the builder always did it: nothing is left that a shell would replace.
  const clean = raw.replaceAll('$', '').replaceAll('`', "'").trim()
  const [, word = '', rest = ''] = /^(\S*)\s*(.*)$/s.exec(clean) ?? []
  switch (word) {
    case 'ping':
      return { kind: 'ping' }
    case 'git-receive-pack':
      return gitCommand('receive-pack', rest)
    case 'git-upload-pack':
      return gitCommand('upload-pack', rest)
    default:
      return null
  }
}

function gitCommand(verb: GitVerb, path: string): SshCommand {
  const app = repositoryName(path)
  return app === null ? { kind: 'nameless' } : { kind: 'git', verb, app }
}

/** A name can never lead out of the directory of repositories: it is one part of letters, digits and hyphens. */
function repositoryName(path: string): string | null {
  const name = path
    .replace(/['"]/g, '')
    .replace(/^\//, '')
    .replace(/\.git$/, '')
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name) ? name : null
}
