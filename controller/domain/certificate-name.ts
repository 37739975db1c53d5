// An X.509 name in one line (controller contract, section 4, Cert).

interface Attribute {
  readonly key: string
  readonly value: string
}

/** Reads a name as Node prints it: a line for each part, ` + ` between attributes of one part, special characters escaped. */
function attributesOf(name: string | undefined): readonly Attribute[] {
  // A backslash and a character belong together; what is a separator has none before it.
  const parts = (name ?? '').match(/(?:\\.|(?! \+ )[^\\\n])+/gs) ?? []
  return parts.map(part => {
    const text = part.startsWith('+ ') ? part.slice(2) : part
    const equals = text.indexOf('=')
    return { key: text.slice(0, equals).trim(), value: unescaped(text.slice(equals + 1)) }
  })
}

/** Control characters stay escaped, as `\0A`: they have no place in one line. */
function unescaped(value: string): string {
  return value.replaceAll(/\\([0-9A-F]{2}|.)/gs, (whole, escaped: string) => (escaped.length === 2 ? whole : escaped))
}

/** `/C=US/O=Example/CN=www.example`, in the order of the certificate. */
export function nameLine(name: string | undefined): string {
  const attributes = attributesOf(name).map(({ key, value }) => `${key}=${value}`)
  return `/${attributes.join('/')}`
}

/** The first common name; null: none. */
export function commonNameOf(name: string | undefined): string | null {
  return attributesOf(name).find(({ key }) => key === 'CN')?.value ?? null
}
