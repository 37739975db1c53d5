// Lines of git's protocol: four hexadecimal digits of length, which count themselves, and the text.

/** `ERR …`: git prints the text as a remote error and ends with 128. */
export function errorLine(text: string): string {
  return pktLine(`ERR ${text}\n`)
}

export function pktLine(text: string): string {
  return `${(Buffer.byteLength(text) + 4).toString(16).padStart(4, '0')}${text}`
}
