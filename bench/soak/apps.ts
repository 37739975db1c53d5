// The apps of the soak and their pods: each pod has an EndpointSlice of its own, because it has a port of its own.

import { type SelfSigned, selfSign } from '#kit/self-signed.ts'
import type { EndpointSlice } from '#kube/types.ts'
import type { ClusterApi } from '../change/cluster-api.ts'
import { type App, appNamespace, certificateSecret, endpointSliceOf, serviceOf } from '../support/manifests.ts'
import type { Pods } from './pods.ts'

/** So long after a new certificate was first seen may a handshake still show the one before: threads learn in turn. */
const overlap = 1_000

export class SoakApp {
  readonly name: string
  readonly host: string
  readonly #api: ClusterApi
  readonly #pods: Pods
  readonly #kind: 'usual' | 'hasty'
  readonly #ports: number[] = []
  #busy = false
  #pair: SelfSigned
  #before: SelfSigned | null = null
  #seenAt = 0

  constructor(name: string, api: ClusterApi, pods: Pods, kind: 'usual' | 'hasty' = 'usual') {
    this.name = name
    this.host = `${name}.soak.example`
    this.#api = api
    this.#pods = pods
    this.#kind = kind
    this.#pair = selfSign([this.host], 30, Date.now())
  }

  get ports(): readonly number[] {
    return this.#ports
  }

  /** Some event has its pods in hand: no other may have them meanwhile. */
  get busy(): boolean {
    return this.#busy
  }

  /** Has its pods in hand until what comes back is disposed of. */
  take(): Disposable {
    this.#busy = true
    return {
      [Symbol.dispose]: () => {
        this.#busy = false
      },
    }
  }

  async create(pods: number): Promise<void> {
    await this.#api.apply(certificateSecret(appNamespace, this.name, this.#pair))
    for (let count = 0; count < pods; count++) await this.addPod()
    await this.touch({})
  }

  /** Brings the Service to these annotations, beside its own. */
  async touch(annotations: Readonly<Record<string, string>>): Promise<void> {
    await this.#api.apply(serviceOf({ ...this.#app(0), annotations }))
  }

  async addPod(): Promise<number> {
    const port = await this.#pods.add(this.name, this.#kind)
    this.#ports.push(port)
    await this.setReady(port, true)
    return port
  }

  /** What Kubernetes says of a pod that serves, or of one that is about to end. */
  async setReady(port: number, ready: boolean): Promise<void> {
    await this.#api.apply(this.#slice(port, ready))
  }

  /** The router is to be told first that it is not ready. Resolves when it has ended what was open on it. */
  async endPod(port: number): Promise<void> {
    this.#ports.splice(this.#ports.indexOf(port), 1)
    await this.#pods.end(port)
  }

  async forgetPod(port: number): Promise<void> {
    await this.#api.delete(this.#slice(port, false))
  }

  /** A new certificate for the host. */
  async rotate(): Promise<void> {
    this.#before = this.#pair
    this.#seenAt = Number.POSITIVE_INFINITY
    this.#pair = selfSign([this.host], 30, Date.now())
    await this.#api.apply(certificateSecret(appNamespace, this.name, this.#pair))
  }

  /** Whether a handshake may show this certificate now; takes note of the first that shows the newest. */
  shows(fingerprint: string): boolean {
    if (fingerprint === this.#pair.fingerprint) {
      this.#seenAt = Math.min(this.#seenAt, performance.now())
      return true
    }
    return fingerprint === this.#before?.fingerprint && performance.now() - this.#seenAt < overlap
  }

  /** The newest certificate has been seen. */
  get rotated(): boolean {
    return this.#seenAt < Number.POSITIVE_INFINITY
  }

  #app(port: number): App {
    return { name: this.name, hosts: [this.host], address: this.#api.backendAddress, port, certificate: this.name }
  }

  #slice(port: number, ready: boolean): EndpointSlice {
    const slice = endpointSliceOf(this.#app(port))
    const conditions = { ready, serving: true, terminating: !ready }
    return {
      ...slice,
      metadata: { ...slice.metadata, name: `${this.name}-${port}` },
      endpoints: [{ addresses: [this.#api.backendAddress], conditions }],
    }
  }
}
