// Why something that a person wrote is not in force. A Problem is data: it goes to the log, `/metrics` and `/problems`.

/** Which object a Problem or a Route comes from. `namespace` is empty for what has none, such as a file. */
export interface ObjectRef {
  readonly kind: string
  readonly namespace: string
  readonly name: string
}

/** Stable names: dashboards and tests match on them. */
export const problemCodes = [
  /** An annotation value that does not parse; its default holds. */
  'invalid-annotation',
  /** A key that is accepted for compatibility and has no effect here. */
  'annotation-without-effect',
  /** A key that protects something and is not enforced here. */
  'not-enforced',
  /** Another object owns this host. */
  'host-conflict',
  /** Another object owns this path of the host. */
  'path-conflict',
  /** The Service lacks the port that traffic goes to. */
  'no-port',
  /** A backend that names no Service, port or kind that there is. */
  'no-backend',
  /** Something that an Ingress asks for and that is switched off or not served here. */
  'unsupported',
  /** A Secret that a `certificates` entry names does not exist. */
  'certificate-missing',
  /** A Secret lacks `tls.crt` or `tls.key`, holds no PEM, or the two do not belong together. */
  'certificate-invalid',
  'certificate-expired',
  /** A Secret that `clientCertificates.secret` names does not exist: nobody gets in. */
  'authorities-missing',
  /** Its `ca.crt` is missing, holds no PEM, or too much of it: nobody gets in. */
  'authorities-invalid',
  /** The API server refused us this object: the Role is missing. */
  'forbidden',
  /** A manifest that is not YAML, or not an object we can read. */
  'invalid-manifest',
  /** An object whose shape we cannot read. */
  'invalid-object',
] as const

export type ProblemCode = (typeof problemCodes)[number]

export interface Problem {
  readonly code: ProblemCode
  readonly severity: 'error' | 'warning'
  readonly object: ObjectRef
  /** One sentence: what is wrong, which value, and what holds instead. Never holds a secret. */
  readonly message: string
}
