// Many small things, some of them at once.

const atOnce = 16

/** Rejects with the first error, and begins nothing new after it. */
export async function each<T>(
  items: Iterable<T> | AsyncIterable<T>,
  work: (item: T) => Promise<void>,
  limit = atOnce,
): Promise<void> {
  const under = new Set<Promise<void>>()
  let failure: { readonly error: unknown } | null = null
  for await (const item of items) {
    const task: Promise<void> = work(item)
      .catch(error => {
        failure ??= { error }
      })
      .finally(() => under.delete(task))
    under.add(task)
    if (under.size >= limit) await Promise.race(under)
    if (failure !== null) break
  }
  await Promise.all(under)
  if (failure !== null) throw (failure as { readonly error: unknown }).error
}
