// Several requests at once, but not all.

/** Runs `work` for every item, `limit` at a time. Rejects with the first failure, when none runs any more. */
export async function together<T>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  let failed = false
  const lane = async (): Promise<void> => {
    while (next < items.length && !failed) {
      const index = next++
      try {
        await work(items[index]!, index)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, lane))
  for (const { status, reason } of lanes as PromiseRejectedResult[]) if (status === 'rejected') throw reason
}
