// Freezing of plain data, so that what has been handed out cannot change behind anybody's back.

/** Freezes `data` and everything in it; parts that are frozen already are taken to be so all the way down. */
export function freezeDeep<T>(data: T): T {
  if (typeof data === 'object' && data !== null && !Object.isFrozen(data)) {
    Object.freeze(data)
    for (const part of Object.values(data)) freezeDeep(part)
  }
  return data
}
