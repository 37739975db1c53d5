// Bodies as `--debug` shows them: what may be a secret is not in there.

const secret = /^(?:password|new_password|token|key|certificate|values|registry)$/

/** The same with `***` for each text under a secret key. */
export function secretless(value: unknown, hide = false): unknown {
  if (Array.isArray(value)) return value.map(one => secretless(one, hide))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [key, secretless(one, hide || secret.test(key))]),
    )
  return hide && value !== null ? '***' : value
}
