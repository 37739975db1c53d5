// Who waits for lines of an app as they come.

import type { LogLine, LogSource } from './line.ts'

export interface Follower {
  readonly sources: readonly LogSource[]
  line(line: LogLine): void
  /** There will be no further lines: the app's log was removed, or the logger ends. */
  end(): void
}

export interface FollowerBounds {
  readonly all: number
  /** Of one app: its users must not take the places of all others. */
  readonly ofApp: number
}

export class Followers {
  readonly #bounds: FollowerBounds
  readonly #byApp = new Map<string, Set<Follower>>()
  #count = 0

  constructor(bounds: FollowerBounds) {
    this.#bounds = bounds
  }

  get count(): number {
    return this.#count
  }

  /** False: there are too many already. */
  add(app: string, follower: Follower): boolean {
    const followers = this.#byApp.get(app) ?? new Set()
    if (this.#count >= this.#bounds.all || followers.size >= this.#bounds.ofApp) return false
    followers.add(follower)
    this.#byApp.set(app, followers)
    this.#count++
    return true
  }

  delete(app: string, follower: Follower): void {
    const followers = this.#byApp.get(app)
    if (followers === undefined || !followers.delete(follower)) return
    this.#count--
    if (followers.size === 0) this.#byApp.delete(app)
  }

  publish(line: LogLine): void {
    const followers = this.#byApp.get(line.app)
    if (followers === undefined) return
    for (const follower of followers) if (follower.sources.includes(line.source)) follower.line(line)
  }

  /** Ends those of the app. */
  end(app: string): void {
    for (const follower of this.#byApp.get(app) ?? []) {
      this.delete(app, follower)
      follower.end()
    }
  }

  endAll(): void {
    for (const app of [...this.#byApp.keys()]) this.end(app)
  }
}
