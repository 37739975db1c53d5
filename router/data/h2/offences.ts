// What a client may do to us that costs more than it brings: opening streams and resetting them (CVE-2023-44487), making
// us reset them (CVE-2025-8671), frames that carry nothing. A little of each is normal; this says when it is too much.

/** Counting begins anew after this many milliseconds. */
const span = 10_000
/** Streams that ended before their answer, of all in a span: more than these, and more than half of all. */
const maxResets = 200
/** Frames in a span that bring nothing: SETTINGS, PING, PRIORITY, empty DATA, types unknown, windows hardly opened. */
const maxIdleFrames = 1_000
/** WINDOW_UPDATE frames that each of our DATA frames may bring about, beside those above. */
const updatesPerData = 3

export class Offences {
  #since = 0
  #streams = 0
  #resets = 0
  #idleFrames = 0
  #updates = 0

  stream(now: number): void {
    if (now - this.#since >= span) this.#begin(now)
    this.#streams++
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

  /** A DATA frame goes out. */
  data(): void {
    this.#updates += updatesPerData
  }

  /** A WINDOW_UPDATE came. False: too many. */
  windowUpdate(now: number): boolean {
    if (this.#updates > 0) {
      this.#updates--
      return true
    }
    return this.idleFrame(now)
  }

  #begin(now: number): void {
    this.#since = now
    this.#streams = this.#resets = this.#idleFrames = 0
    this.#updates = Math.min(this.#updates, maxIdleFrames)
  }
}
