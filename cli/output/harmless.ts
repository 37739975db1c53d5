// Text of others, as a terminal may show it: sequences that set its title, move its cursor, hide what follows or make it
// answer do nothing.

/** What stays: colours and the like (`ESC[1;31m`), a carriage return of a line end. Then what would steer. */
const controls = /(\x1b\[[0-9;:]*m|\r(?=\n|$))|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

/** Those of output.ts: nothing is hidden by them. */
const ours = /^\x1b\[(?:1|2|22|3[1-6]|39)m$/

/** Whose colours stay: apps speak in many; other texts, such as a value or an error, are shown in ours. */
export type Colours = 'all' | 'ours'

/**
 * Tabs, line feeds and colours stay; other control characters become pictures (`␛`), or their code (`<U+009B>`), and so do
 * those that turn the direction of what follows.
 */
export function harmless(text: string, colours: Colours): string {
  return text.replace(controls, (found, kept?: string) => {
    if (kept === undefined) return picture(found)
    return colours === 'all' || kept === '\r' || ours.test(kept) ? kept : picture('\x1b') + kept.slice(1)
  })
}

function picture(character: string): string {
  const code = character.charCodeAt(0)
  if (code < 0x20) return String.fromCharCode(0x2400 + code)
  if (code === 0x7f) return '\u2421'
  return `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`
}
