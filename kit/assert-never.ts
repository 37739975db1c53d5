/** Closes a `switch` over a union: a new member that nobody handles is a type error, and at run time a thrown one. */
export function assertNever(value: never): never {
  throw new TypeError(`unhandled case: ${JSON.stringify(value)}`)
}
