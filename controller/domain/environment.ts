// The environment of an app's processes (controller contract, section 8, Env).

import { buildKind } from './app.ts'
import { dateText } from './date-text.ts'
import type { DesiredApp, DesiredRelease } from './desired-app.ts'

/** Where a process finds its slug. */
export interface SlugStorage {
  /** Kind of storage, such as `minio`. */
  readonly kind: string
  readonly host: string
  readonly port: number
}

/** What users set wins. `storage` null: slugs are brought by other means. */
export function environmentOf(
  app: Pick<DesiredApp, 'id'>,
  release: DesiredRelease,
  storage: SlugStorage | null = null,
): Readonly<Record<string, string>> {
  const { build, config, port } = release
  return {
    DEIS_APP: app.id,
    WORKFLOW_RELEASE: `v${release.version}`,
    WORKFLOW_RELEASE_SUMMARY: release.summary,
    WORKFLOW_RELEASE_CREATED_AT: dateText(release.created),
    ...(buildKind(build) === 'slug' && storage !== null ? slugVariables(build.image, storage) : {}),
    ...(build.sha === '' ? {} : { SOURCE_VERSION: build.sha }),
    ...(port === null ? {} : { PORT: String(port) }),
    ...config.values,
  }
}

function slugVariables(image: string, { kind, host, port }: SlugStorage): Readonly<Record<string, string>> {
  return {
    SLUG_URL: image,
    BUILDER_STORAGE: kind,
    DEIS_MINIO_SERVICE_HOST: host,
    DEIS_MINIO_SERVICE_PORT: String(port),
  }
}
