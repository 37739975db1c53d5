// A server of the S3 API, and the part of a bucket that is ours.

export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export interface S3Target {
  readonly kind: 's3'
  /** URL of the server; null: AWS's own for the region. */
  readonly endpoint: string | null
  readonly region: string
  /** Made when it is not there. */
  readonly bucket: string
  /** What all our keys begin with, a slash between; empty: the bucket is ours. */
  readonly prefix: string
  /** Null: what the environment or the machine gives (variables, web identity, instance role). */
  readonly credentials: S3Credentials | null
  /** The bucket in the path, not in the name of the host: what servers without a DNS zone of their own need. */
  readonly pathStyle: boolean
}
