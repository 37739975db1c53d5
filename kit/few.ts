// A set that mostly has one member, tens of thousands of times over: a Set takes 200 octets for its first member, this none.
// Members are strings, so that nothing that is a member could be taken for a set.

export type Few = string | Set<string> | undefined

/** `few` with `member`; what was handed in is not to be used any more. */
export function added(few: Few, member: string): Few {
  if (few === undefined || few === member) return member
  return typeof few === 'string' ? new Set([few, member]) : few.add(member)
}

/** `few` without `member`; undefined: nothing is left. What was handed in is not to be used any more. */
export function removed(few: Few, member: string): Few {
  if (few === undefined || few === member) return undefined
  if (typeof few === 'string') return few
  few.delete(member)
  return few.size === 0 ? undefined : few
}

/** In the order in which they came. */
export function membersOf(few: Few): Iterable<string> {
  return typeof few === 'string' ? [few] : (few ?? [])
}
