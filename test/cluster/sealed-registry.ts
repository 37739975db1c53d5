// Our registry with a key, on the address by which Pods reach this machine, and a controller that gives out its tokens.

import { createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { type Authorize, withPassword } from '#kit/oci/registry.ts'
import { builderKey, ControllerStage } from '#test/support/controller-stage.ts'
import { RegistryStage } from '#test/support/registry-stage.ts'
import { run } from './command.ts'
import { hostAddress } from './node-site.ts'

export class SealedRegistry implements AsyncDisposable {
  readonly #controller: ControllerStage
  readonly #realm: Server
  readonly #registry: RegistryStage

  private constructor(controller: ControllerStage, realm: Server, registry: RegistryStage) {
    this.#controller = controller
    this.#realm = realm
    this.#registry = registry
  }

  static async start(): Promise<SealedRegistry> {
    const controller = await ControllerStage.start()
    const realm = createServer(socket => {
      const far = connect(controller.controller.port, '127.0.0.1')
      socket.on('error', () => far.destroy()).pipe(far)
      far.on('error', () => socket.destroy()).pipe(socket)
    })
    realm.listen(0, hostAddress)
    await once(realm, 'listening')
    const key = readFileSync(join(controller.directory, 'keys/registry-token.pub.pem'), 'utf8')
    const registry = await RegistryStage.start({
      address: hostAddress,
      tokens: {
        realm: `http://${hostAddress}:${(realm.address() as AddressInfo).port}/v2/registry/token`,
        ...{ service: 'deis-registry', issuer: 'deis-controller', keys: [createPublicKey(key)] },
      },
    })
    return new SealedRegistry(controller, realm, registry)
  }

  get host(): string {
    return `${hostAddress}:${this.#registry.port}`
  }

  /** For the builder. */
  get access(): { readonly url: URL; readonly authorize: Authorize } {
    const authorize = withPassword('builder', builderKey, { userAgent: 'deis-builder' })
    return { url: new URL(`http://${this.host}`), authorize }
  }

  /** Puts an image of an OCI archive into it. */
  async push(archive: string, name: string): Promise<void> {
    const credentials = `--dest-creds=builder:${builderKey}`
    const target = `docker://${this.host}/${name}`
    await run('skopeo', ['copy', '--quiet', '--dest-tls-verify=false', credentials, `oci-archive:${archive}`, target])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#realm.close()
    await this.#registry[Symbol.asyncDispose]()
    await this.#controller[Symbol.asyncDispose]()
  }
}
