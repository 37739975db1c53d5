// The texts that change once a second, made once a second: the Date field and the time of a log line.

const pad = (value: number): string => String(value).padStart(2, '0')

export class ClockText {
  /** `Server: deis-router/0.1.0` CRLF `Date: ...` CRLF, as octets. */
  serverAndDate: Buffer = Buffer.alloc(0)
  /** `[2016-05-31T16:56:12+00:00]`, local time with its offset (contract section 14). */
  logTime = ''
  #second = -1
  #server: string

  constructor(server: string, now: number) {
    this.#server = server
    this.update(now)
  }

  set server(product: string) {
    this.#server = product
    this.#second = -1
  }

  /** `now`: milliseconds since the epoch. */
  update(now: number): void {
    const second = Math.floor(now / 1000)
    if (second === this.#second) return
    this.#second = second
    const date = new Date(second * 1000)
    this.serverAndDate = Buffer.from(`Server: ${this.#server}\r\nDate: ${date.toUTCString()}\r\n`, 'latin1')
    const offset = -date.getTimezoneOffset()
    const zone = `${offset < 0 ? '-' : '+'}${pad(Math.floor(Math.abs(offset) / 60))}:${pad(Math.abs(offset) % 60)}`
    const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
    const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
    this.logTime = `[${day}T${time}${zone}]`
  }
}
