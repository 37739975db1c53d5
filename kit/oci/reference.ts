// Names of images as people and builds write them: `shop:git-1a2b3c4d`, `registry.example.com:5000/shop@sha256:…`
// (OCI Distribution 1.1, "Pulling manifests").

export interface Reference {
  /** `HOST` or `HOST:PORT`; null: the name has none, so it is of our own registry. */
  readonly host: string | null
  readonly repository: string
  /** A tag or a digest; of both the digest. */
  readonly version: string
}

/** `sha256:` or `sha512:` with as many hexadecimal digits as it takes. */
export function isDigest(text: string): boolean {
  return /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(text)
}

const part = '[a-z0-9]+(?:(?:\\.|__?|-+)[a-z0-9]+)*'
const repositoryPattern = new RegExp(`^${part}(?:/${part})*$`)
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/

/** Characters of a repository's name. */
const longest = 255

export function isRepository(text: string): boolean {
  return text.length <= longest && repositoryPattern.test(text)
}

/** Null: it is no name of an image. A tag that is missing is `latest`. */
export function parseReference(text: string): Reference | null {
  const at = text.indexOf('@')
  const digest = at < 0 ? null : text.slice(at + 1)
  const named = at < 0 ? text : text.slice(0, at)
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1)
  const tag = colon < 0 ? null : named.slice(colon + 1)
  const { host, repository } = withoutHost(colon < 0 ? named : named.slice(0, colon))
  if (!isRepository(repository)) return null
  if ((tag !== null && !tagPattern.test(tag)) || (digest !== null && !isDigest(digest))) return null
  return { host, repository, version: digest ?? tag ?? 'latest' }
}

/** The first part is a host when it can be nothing else. */
function withoutHost(name: string): { readonly host: string | null; readonly repository: string } {
  const slash = name.indexOf('/')
  const first = name.slice(0, Math.max(slash, 0))
  const isHost = /[.:]/.test(first) || first === 'localhost'
  return isHost ? { host: first, repository: name.slice(slash + 1) } : { host: null, repository: name }
}
