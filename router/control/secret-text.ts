// Texts in Secrets, and certificates in such texts. What is wrong is said without a word of what the Secret holds.

/** Carries a reason from the depth of the checks to whoever reads a Secret. */
export class Unreadable extends Error {}

// More than the API server lets a Secret hold.
const longestData = 2 * 1024 * 1024

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What a certificate and its key are in. */
export const pairKeys: readonly string[] = ['tls.crt', 'tls.key']

/**
 * The Secret with the texts of these keys as `stringData`, those that can be read: what is made of them is then the same
 * text, not one more copy in another encoding.
 */
export function unpacked<T extends { readonly metadata: unknown }>(secret: T, keys: readonly string[]): T {
  const { data: packed, stringData: plain } = secret as { readonly data?: unknown; readonly stringData?: unknown }
  if (!isMap(packed) || (plain !== undefined && !isMap(plain))) return secret
  const data: Record<string, unknown> = { ...packed }
  const stringData: Record<string, unknown> = { ...plain }
  for (const key of keys) {
    if (!Object.hasOwn(data, key) || Object.hasOwn(stringData, key)) continue
    try {
      stringData[key] = textOf({ data }, key)
      delete data[key]
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error
    }
  }
  return { ...secret, data, stringData }
}

/** The text of a key of the Secret, or throws Unreadable. As in the API, `stringData` overrides `data`. */
export function textOf(secret: unknown, key: string): string {
  const { data, stringData } = isMap(secret) ? secret : {}
  if (isMap(stringData) && Object.hasOwn(stringData, key)) {
    const text = stringData[key]
    if (typeof text !== 'string') throw new Unreadable(`stringData "${key}" is no string`)
    if (text.length > longestData) throw new Unreadable(`"${key}" is too long`)
    return text
  }
  if (!isMap(data) || !Object.hasOwn(data, key)) throw new Unreadable(`it lacks "${key}"`)
  const encoded = data[key]
  if (typeof encoded !== 'string') throw new Unreadable(`"${key}" is no base64 text`)
  if (encoded.length > longestData) throw new Unreadable(`"${key}" is too long`)
  const packed = encoded.replaceAll(/[\t\n\f\r ]/g, '')
  if (packed.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(packed))
    throw new Unreadable(`"${key}" is no base64 text`)
  return Buffer.from(packed, 'base64').toString('latin1')
}

const begin = '-----BEGIN CERTIFICATE-----'
const end = '-----END CERTIFICATE-----'

/** The certificate blocks of a PEM text, one at least; what stands between them, be it a private key, stays behind. */
export function certificateBlocks(pem: string, key: string): readonly string[] {
  const blocks: string[] = []
  let from = pem.indexOf(begin)
  while (from >= 0) {
    const to = pem.indexOf(end, from)
    if (to < 0) throw new Unreadable(`"${key}" ends in the middle of a certificate`)
    blocks.push(`${pem.slice(from, to + end.length)}\n`)
    from = pem.indexOf(begin, to)
  }
  if (blocks.length === 0) throw new Unreadable(`"${key}" holds no PEM certificate`)
  return blocks
}
