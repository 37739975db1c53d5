// What the pusher sees of a build: our own lines, and what its programs say, as much as anybody will read.

/** Bytes of what programs say. */
const most = 4 * 1024 * 1024
const lastLines = 20

export class Output {
  readonly #say: (line: string) => void
  readonly #last: string[] = []
  #heard = 0
  #unshown = 0

  constructor(say: (line: string) => void) {
    this.#say = say
  }

  /** `-----> TEXT` */
  topic(text: string): void {
    this.#say(`-----> ${text}`)
  }

  detail(text: string): void {
    this.#say(`       ${text}`)
  }

  /** Of a program: indented, unless it has a topic of its own (builder contract, section 4). */
  hear(line: string): void {
    this.raw(line.startsWith('--') ? line : `       ${line}`)
  }

  /** Of a program, as it is. */
  raw(line: string): void {
    this.#heard += line.length
    if (this.#heard <= most) {
      this.#say(line)
      return
    }
    if (this.#unshown === 0) this.detail('(there is too much output; only its last lines will be shown)')
    this.#unshown++
    if (this.#last.push(line.slice(0, 1000)) > lastLines) this.#last.shift()
  }

  /** Last lines of what was not shown. */
  finish(): void {
    if (this.#unshown > this.#last.length) this.detail(`(${this.#unshown - this.#last.length} lines are not shown)`)
    for (const line of this.#last.splice(0)) this.#say(line)
    this.#unshown = 0
  }
}
