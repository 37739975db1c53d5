// Octets in parts of one size, for servers that take an object in parts.

/**
 * Parts of exactly `size` octets, the last one of what is left; one empty part when there is nothing at all. A part is good
 * until the one after the next is asked for: two buffers take turns, so that one can be sent while the other is filled.
 */
export async function* inParts(
  source: AsyncIterable<Uint8Array>,
  size: number,
  first?: Uint8Array,
): AsyncGenerator<Buffer> {
  const buffers: [Buffer, Buffer] = [Buffer.allocUnsafeSlow(Math.min(size, 65_536)), Buffer.alloc(0)]
  let turn = 0
  let filled = 0
  let yielded = false
  const grow = (wanted: number): void => {
    const old = buffers[turn]!
    if (old.length >= wanted) return
    // Most objects are small.
    buffers[turn] = Buffer.allocUnsafeSlow(Math.min(size, Math.max(wanted, 2 * old.length)))
    old.copy(buffers[turn]!, 0, 0, filled)
  }
  if (first !== undefined) {
    grow(first.byteLength)
    buffers[0].set(first)
    filled = first.byteLength
  }
  for await (const chunk of source)
    for (let taken = 0; taken < chunk.byteLength; ) {
      const some = chunk.subarray(taken, taken + size - filled)
      grow(filled + some.byteLength)
      buffers[turn]!.set(some, filled)
      taken += some.byteLength
      filled += some.byteLength
      if (filled < size) continue
      yield buffers[turn]!.subarray(0, size)
      yielded = true
      turn = 1 - turn
      filled = 0
    }
  if (filled > 0 || !yielded) yield buffers[turn]!.subarray(0, filled)
}
