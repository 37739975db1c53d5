// `.slugignore`: what of a built app stays out of its image. A line is a path or a name, with `*` and `?` for any letters;
// one with a slash in it counts from the root. Tenants write it, so nothing is made a regular expression.

/** Lines that count. */
const mostPatterns = 1000

/** Whether a path (with slashes, below the root) is left out; what is below a directory that is, is never asked about. */
export function parseIgnored(text: string): (path: string) => boolean {
  const patterns = text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('#'))
    .slice(0, mostPatterns)
    .map(line => line.replace(/\/+$/, ''))
  const fromRoot = patterns.filter(pattern => pattern.includes('/')).map(pattern => pattern.replace(/^(?:\.?\/)+/, ''))
  const names = patterns.filter(pattern => !pattern.includes('/'))
  return path => {
    const name = path.slice(path.lastIndexOf('/') + 1)
    return names.some(pattern => matches(pattern, name)) || fromRoot.some(pattern => matches(pattern, path))
  }
}

/** In time proportional to the product of both lengths: after a mismatch only the last `*` takes one letter more. */
function matches(pattern: string, text: string): boolean {
  let at = 0
  let next = 0
  let star = -1
  let resume = 0
  while (at < text.length) {
    if (pattern[next] === '*') {
      star = next++
      resume = at
    } else if (next < pattern.length && (pattern[next] === '?' || pattern[next] === text[at])) {
      next++
      at++
    } else if (star >= 0) {
      next = star + 1
      at = ++resume
    } else return false
  }
  while (pattern[next] === '*') next++
  return next === pattern.length
}
