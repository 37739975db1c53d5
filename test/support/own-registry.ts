// Our registry in this process, for what pushes to it and pulls from it.

import { createPublicKey } from 'node:crypto'
import { RegistryStage } from './registry-stage.ts'

export interface OwnRegistry extends AsyncDisposable {
  readonly url: URL
  /** Requests so far, `METHOD PATH`. */
  readonly requests: readonly string[]
}

export interface TokenAuthentication {
  readonly realm: string
  readonly service: string
  readonly issuer: string
  /** PEM: a certificate or a public key. */
  readonly certificate: string
}

export async function startOwnRegistry(tokens: TokenAuthentication | null = null): Promise<OwnRegistry> {
  const stage = await RegistryStage.start(
    tokens === null ? {} : { tokens: { ...tokens, keys: [createPublicKey(tokens.certificate)] } },
  )
  return {
    url: new URL(`http://127.0.0.1:${stage.registry.port}`),
    get requests() {
      return stage.lines.map(line => JSON.parse(line)).map(({ method, target }) => `${method} ${target}`)
    },
    [Symbol.asyncDispose]: () => stage[Symbol.asyncDispose](),
  }
}
