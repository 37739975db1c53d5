// The two values that are read of a buildpack.toml, and the order.toml that is written. What a buildpack says of itself in
// a way that is not read here (texts of several lines, keys with dots) is no id.

export interface BuildpackIdentity {
  readonly id: string
  readonly version: string
}

const idPattern = /^[a-zA-Z0-9./-]{1,200}$/
const versionPattern = /^[0-9]+\.[0-9]+\.[0-9]+(?:[-+.][0-9A-Za-z.+-]{1,100})?$|^[0-9]+(?:\.[0-9]+)?$/

/** Null: there is none. */
export function readIdentity(toml: string): BuildpackIdentity | null {
  let table = ''
  const values = new Map<string, string>()
  for (const raw of toml.split(/\r?\n/)) {
    const line = raw.trim()
    if (line.startsWith('[')) table = line.replace(/\s*#.*$/, '')
    if (table !== '[buildpack]') continue
    const [, key, basic, literal] = /^(id|version)\s*=\s*(?:"([^"\\]*)"|'([^']*)')\s*(?:#.*)?$/.exec(line) ?? []
    if (key !== undefined && !values.has(key)) values.set(key, basic ?? literal ?? '')
  }
  const id = values.get('id') ?? ''
  const version = values.get('version') ?? ''
  const isPlain = idPattern.test(id) && !id.split('/').some(part => /^\.*$/.test(part))
  return isPlain && versionPattern.test(version) ? { id, version } : null
}

export function orderOf({ id, version }: BuildpackIdentity): string {
  return `[[order]]\n[[order.group]]\nid = "${id}"\nversion = "${version}"\n`
}
