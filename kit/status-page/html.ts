// HTML made of texts that anybody may have written: whatever is put into a template is escaped, but for what came out of one.

export class Html {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}

export type Part = Html | string | number | null | readonly Part[]

/** A template whose values are escaped, between tags and within quoted attributes; null is nothing. */
export function html(texts: TemplateStringsArray, ...values: readonly Part[]): Html {
  return new Html(texts.map((text, index) => (index === 0 ? text : shown(values[index - 1]!) + text)).join(''))
}

function shown(part: Part): string {
  if (part instanceof Html) return part.toString()
  if (part === null) return ''
  if (typeof part === 'object') return part.map(shown).join('')
  return escapeText(String(part))
}

const names: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Controls, and marks that turn the direction of what follows, are shown as what they are: nothing to be read. */
function escapeText(text: string): string {
  return text
    .replace(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
    .replace(/[&<>"']/g, character => names[character]!)
}
