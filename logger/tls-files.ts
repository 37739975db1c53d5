// Certificate and key of the port for syslog over TLS, as files that may change under us: whoever renews them need not tell us.

import { readFileSync, statSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { exitCode, StartupError } from '#kit/exit.ts'
import type { Logger } from '#kit/log.ts'
import type { TlsConfig } from './config.ts'
import type { TlsMaterial } from './input/stream.ts'

/** How often files are looked at, milliseconds. */
const usualInterval = 30_000

/** Throws StartupError 64 when the files are none, or do not belong together. */
export function readTlsFiles(config: TlsConfig): TlsMaterial {
  try {
    const ca = config.authorities === null ? {} : { ca: readFileSync(config.authorities) }
    const material = { cert: readFileSync(config.certificate), key: readFileSync(config.key), ...ca }
    createSecureContext(material)
    return { ...material, requestCert: config.authorities !== null }
  } catch (error) {
    throw new StartupError(exitCode.usage, `TLS: ${(error as Error).message}`)
  }
}

/** Calls back with what is in the files whenever they have changed and are good; what is not is logged, and what was before stays. */
export function watchTlsFiles(
  config: TlsConfig,
  log: Logger,
  onChange: (material: TlsMaterial) => void,
  interval = usualInterval,
): Disposable {
  let seen = stampOf(config)
  const look = (): void => {
    const stamp = stampOf(config)
    if (stamp === seen) return
    seen = stamp
    try {
      onChange(readTlsFiles(config))
      log.info('another certificate for syslog over TLS')
    } catch (error) {
      log.error({ error: (error as Error).message }, 'the certificate for syslog over TLS stays as it was')
    }
  }
  const timer = setInterval(look, interval).unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

function stampOf({ certificate, key, authorities }: TlsConfig): string {
  const stamps = [certificate, key, ...(authorities === null ? [] : [authorities])].map(file => {
    const stats = statSync(file, { throwIfNoEntry: false })
    return `${stats?.ino} ${stats?.mtimeMs} ${stats?.size}`
  })
  return stamps.join()
}
