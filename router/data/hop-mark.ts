// The mark that every request gets on its way to an endpoint, so that one which comes back again and again is noticed: the
// field CDN-Loop (RFC 8586), in which each intermediary that a request passes adds itself. Not Via, which many servers take
// for a reason not to compress.

/** One name for all routers of this kind: a loop through several of them is one. */
const pseudonym = 'deis-router'

/** The whole field line; empty when nothing is marked. `maxHops`: the setting, 0 for none. */
export function hopLine(maxHops: number): string {
  return maxHops > 0 ? `CDN-Loop: ${pseudonym}\r\n` : ''
}

/** How often the value of such a field names a router like this one. Each cdn-info begins with a name; parameters may follow. */
export function marksIn(value: string): number {
  let marks = 0
  for (const info of value.split(',')) if (nameOf(info) === pseudonym) marks++
  return marks
}

function nameOf(info: string): string {
  const semicolon = info.indexOf(';')
  return (semicolon < 0 ? info : info.slice(0, semicolon)).trim().toLowerCase()
}
