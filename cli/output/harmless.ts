// Text of apps, as a terminal may show it: sequences that set its title, move its cursor or make it answer do nothing.

/** What stays: colours and the like (`ESC[1;31m`), a carriage return of a line end. Then what would steer. */
const controls = /(\x1b\[[0-9;:]*m|\r(?=\n|$))|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]/g

/** Tabs, line feeds and colours stay; other control characters become pictures (`␛`), or their code (`<U+009B>`). */
export function harmless(text: string): string {
  return text.replace(controls, (found, kept?: string) => kept ?? picture(found))
}

function picture(character: string): string {
  const code = character.charCodeAt(0)
  if (code < 0x20) return String.fromCharCode(0x2400 + code)
  if (code === 0x7f) return '\u2421'
  return `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`
}
