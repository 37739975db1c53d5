// How many connections there may be: in all, of one address, and of those that have not said yet who they are. Behind a
// router without the PROXY protocol all clients have the router's address.

export interface AdmissionLimits {
  readonly connections: number
  readonly ofAddress: number
  readonly strangers: number
}

export class Admission {
  readonly #limits: AdmissionLimits
  readonly #ofAddress = new Map<string, number>()
  #connections = 0
  #strangers = 0

  constructor(limits: AdmissionLimits) {
    this.#limits = limits
  }

  get count(): number {
    return this.#connections
  }

  /** Null: there are too many. What is given is to be disposed of when the connection closes. */
  admit(address: string): Guest | null {
    const same = this.#ofAddress.get(address) ?? 0
    const { connections, ofAddress, strangers } = this.#limits
    if (this.#connections >= connections || same >= ofAddress || this.#strangers >= strangers) return null
    this.#connections++
    this.#strangers++
    this.#ofAddress.set(address, same + 1)
    let known = false
    let left = false
    const identified = (): void => {
      if (!known) this.#strangers--
      known = true
    }
    return {
      identified,
      [Symbol.dispose]: () => {
        if (left) return
        left = true
        identified()
        this.#connections--
        const others = this.#ofAddress.get(address)! - 1
        if (others === 0) this.#ofAddress.delete(address)
        else this.#ofAddress.set(address, others)
      },
    }
  }
}

export interface Guest extends Disposable {
  identified(): void
}
