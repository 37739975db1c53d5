// What a client may do to us that costs more than it brings: opening streams and resetting them (CVE-2023-44487), making
// us reset them (CVE-2025-8671), frames that carry nothing. A little of each is normal; this says when it is too much.

/** Counting begins anew after this many milliseconds. */
const span = 10_000
/** Streams that ended before their answer, of all in a span: more than these, and more than half of all. */
const maxResets = 200
/** Frames in a span that bring nothing: SETTINGS, PRIORITY, empty DATA, types unknown, windows hardly opened. */
const maxIdleFrames = 1_000
/**
 * PING and WINDOW_UPDATE frames that come with work are no offence, as long as the work earned them. Whoever opens its
 * windows by 4 kB, as Go does, sends eight for a DATA frame of the largest size; gRPC measures its bandwidth with a PING
 * for each.
 */
const creditPerFrame = 3
const octetsPerCredit = 2_048
/** More than this is not saved up. */
const maxCredit = 4_000

export class Offences {
  #since = 0
  #streams = 0
  #resets = 0
  #idleFrames = 0
  #credit = 0

  /** A stream has begun. */
  stream(now: number): void {
    if (now - this.#since >= span) this.#begin(now)
    this.#streams++
    this.#earn(creditPerFrame)
  }

  /**
   * A stream was reset before its answer was complete, by the client or because of it; what made more work than most
   * counts for as many as `weight`. False: too many.
   */
  reset(now: number, weight = 1): boolean {
    if (now - this.#since >= span) this.#begin(now)
    this.#resets += weight
    return this.#resets <= maxResets || this.#resets * 2 <= this.#streams
  }

  /** A frame without use came. False: too many. */
  idleFrame(now: number): boolean {
    if (now - this.#since >= span) this.#begin(now)
    return ++this.#idleFrames <= maxIdleFrames
  }

  /** A DATA frame of so many octets went or came. */
  data(octets: number): void {
    this.#earn(creditPerFrame + octets / octetsPerCredit)
  }

  /** A PING or a WINDOW_UPDATE came. False: too many. */
  companion(now: number): boolean {
    if (this.#credit < 1) return this.idleFrame(now)
    this.#credit--
    return true
  }

  #earn(credit: number): void {
    this.#credit = Math.min(this.#credit + credit, maxCredit)
  }

  #begin(now: number): void {
    this.#since = now
    this.#streams = this.#resets = this.#idleFrames = 0
  }
}
