// Who uses the platform: users, their SSH keys, their certificates.

export interface User {
  /** Internal: never shown. */
  readonly id: number
  readonly username: string
  readonly email: string
  readonly firstName: string
  readonly lastName: string
  /** Administrator. */
  readonly isSuperuser: boolean
  readonly isActive: boolean
  readonly joined: Date
  readonly lastLogin: Date | null
}

/** A public SSH key. */
export interface Key {
  readonly uuid: string
  readonly owner: string
  /** Chosen by the owner, unique on the platform. */
  readonly id: string
  /** One line, as in `authorized_keys`. */
  readonly public: string
  /** MD5, lower-case hexadecimal with colons. */
  readonly fingerprint: string
  readonly created: Date
  readonly updated: Date
}

/** A certificate with its key, and what is read from it. */
export interface Certificate {
  readonly id: number
  readonly owner: string
  /** Unique on the platform. */
  readonly name: string
  /** PEM: the certificate and what it was signed with. */
  readonly chain: string
  /** PEM. Secret. */
  readonly key: string
  readonly commonName: string | null
  readonly san: readonly string[]
  /** SHA-256, upper-case hexadecimal with colons. */
  readonly fingerprint: string
  readonly starts: Date
  readonly expires: Date
  /** `/C=US/…/CN=x`, in the certificate's order. */
  readonly issuer: string
  readonly subject: string
  /** Names that it is attached to, sorted. */
  readonly domains: readonly string[]
  readonly created: Date
  readonly updated: Date
}
