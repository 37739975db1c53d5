// Which of many names somebody may have meant: those that a slip or two turn into each other. Pure.

import { editDistance } from '#kit/edit-distance.ts'

/** So many names are looked at, so that a typing error does not keep the thread. */
const mostNames = 20_000

/** At most `most` of `names`, the nearest first; none that is more than a few letters away. */
export function nearest(name: string, names: Iterable<string>, most: number): readonly string[] {
  const furthest = Math.min(2, Math.max(1, Math.floor(name.length / 6)))
  const found: { readonly name: string; readonly distance: number }[] = []
  let looked = 0
  for (const other of names) {
    if (++looked > mostNames) break
    if (other === name || Math.abs(other.length - name.length) > furthest) continue
    // Most names of a cluster begin or end alike.
    let start = 0
    while (start < name.length && name[start] === other[start]) start++
    let tail = 0
    const left = Math.min(name.length, other.length) - start
    while (tail < left && name.at(-1 - tail) === other.at(-1 - tail)) tail++
    const middles = [name, other].map(text => text.slice(start, text.length - tail)) as [string, string]
    const distance = editDistance(...middles, furthest)
    if (distance <= furthest) found.push({ name: other, distance })
  }
  return found
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, most)
    .map(each => each.name)
}
