// What the registry says no with: a row for each code of the distribution specification ("Error Codes"), with the status that
// it goes with. Codes below the line are not the specification's: Docker's, and our own.

const rows = {
  BLOB_UNKNOWN: { status: 404, message: 'the repository does not have this blob' },
  BLOB_UPLOAD_INVALID: { status: 400, message: 'the upload cannot go on like this' },
  BLOB_UPLOAD_UNKNOWN: {
    status: 404,
    message: 'there is no such upload: it ended, was cancelled, or was idle too long',
  },
  DIGEST_INVALID: { status: 400, message: 'the digest is not that of the content, or not one of sha256 or sha512' },
  MANIFEST_BLOB_UNKNOWN: { status: 404, message: 'the manifest names something that the repository does not have' },
  MANIFEST_INVALID: { status: 400, message: 'the manifest is not valid' },
  MANIFEST_UNKNOWN: { status: 404, message: 'the repository does not have this manifest' },
  NAME_INVALID: { status: 400, message: 'this is not a name of a repository' },
  NAME_UNKNOWN: { status: 404, message: 'there is no such repository' },
  SIZE_INVALID: { status: 400, message: 'the size is not that of the content' },
  UNAUTHORIZED: { status: 401, message: 'a token that allows this is needed' },
  DENIED: { status: 403, message: 'this is not allowed' },
  UNSUPPORTED: { status: 405, message: 'this is not supported' },
  TOOMANYREQUESTS: { status: 429, message: 'too much is under way: try again later' },
  // ---
  TAG_INVALID: { status: 400, message: 'this is not a tag' },
  PAGINATION_NUMBER_INVALID: { status: 400, message: 'n must be a whole number' },
  RANGE_INVALID: { status: 416, message: 'the range does not begin where the upload ends' },
  UPLOAD_BUSY: { status: 409, message: 'another request is adding to this upload' },
  REQUEST_INVALID: { status: 400, message: 'the request makes no sense' },
  NOT_FOUND: { status: 404, message: 'there is nothing at this path' },
  MANIFEST_TOO_LARGE: { status: 413, message: 'a manifest may have 4 MB' },
  STORE_FULL: { status: 507, message: 'the store is full: nothing can be pushed until there is room' },
  UNAVAILABLE: { status: 503, message: 'the store cannot be used now' },
  UNKNOWN: { status: 500, message: 'something went wrong; the log of the registry tells what' },
} as const satisfies Record<string, { readonly status: number; readonly message: string }>

export type ErrorCode = keyof typeof rows

export interface ErrorOptionsOfRegistry extends ErrorOptions {
  /** For the client, beside the code: a digest, a sentence. */
  readonly detail?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** Thrown by whoever finds it; what answers requests makes a body of it. */
export class RegistryError extends Error {
  readonly code: ErrorCode
  readonly detail: unknown
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ErrorCode, { detail, headers = {}, cause }: ErrorOptionsOfRegistry = {}) {
    super(rows[code].message, { cause })
    this.name = 'RegistryError'
    this.code = code
    this.detail = detail
    this.headers = headers
  }

  get status(): number {
    return rows[this.code].status
  }

  /** As the specification has bodies of errors. */
  get body(): string {
    const { code, message, detail } = this
    return JSON.stringify({ errors: [{ code, message, ...(detail === undefined ? {} : { detail }) }] })
  }
}
