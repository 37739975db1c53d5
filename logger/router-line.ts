// Lines of the router's access log in its standard format (docs/access-log.md): fourteen parts with ` - ` between them, which no
// value has in it. Pure.

export interface RouterLine {
  /** As the router has it: `APP` or `NAMESPACE/APP`; `router-default-vhost` when no route answered. */
  readonly app: string
  readonly status: number
  /** Octets sent. */
  readonly octets: number
  /** That the endpoint took; null: none was asked. */
  readonly endpointSeconds: number | null
  /** That all of it took. */
  readonly seconds: number
  /** When the answer ended, milliseconds since 1970. */
  readonly time: number
}

const parts = 14

/** Null: it is none, has another format, or the request was refused before it was known whose it is. */
export function parseRouterLine(text: string): RouterLine | null {
  const values = text.split(' - ', parts + 1)
  if (values.length !== parts) return null
  const [stamp, app, , , status, , octets, , , , , , endpoint, seconds] = values as string[]
  const time = /^\[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[+-]\d\d:\d\d|Z))\]$/.exec(stamp!)?.[1]
  const milliseconds = time === undefined ? Number.NaN : Date.parse(time)
  const valid =
    !Number.isNaN(milliseconds) &&
    /^[\w.-]+(\/[\w.-]+)?$/.test(app!) &&
    /^[1-9]\d\d$/.test(status!) &&
    /^\d{1,15}$/.test(octets!) &&
    /^(-|\d{1,9}\.\d{1,6})$/.test(endpoint!) &&
    /^\d{1,9}\.\d{1,6}$/.test(seconds!)
  if (!valid) return null
  return {
    app: app!,
    status: Number(status),
    octets: Number(octets),
    endpointSeconds: endpoint === '-' ? null : Number(endpoint),
    seconds: Number(seconds),
    time: milliseconds,
  }
}
