// `/v2/apps/<id>/builds/`: images and slugs; a new one is deployed before it is answered.

import { z } from 'zod'
import type { AppId } from '../domain/app.ts'
import { parseImage } from '../domain/image.ts'
import { parseProcfile } from '../domain/procfile.ts'
import { missing, Refusal } from '../domain/refusal.ts'
import type { NewBuild, Releases } from '../reconcile/releases.ts'
import type { Store } from '../store/store.ts'
import type { AppAccess, AppCaller } from './app-access.ts'
import { rawField, readFields, textField } from './fields.ts'
import { idempotent } from './idempotent.ts'
import type { ImageAccess } from './image-access.ts'
import { pageAnswer, pageShape } from './page.ts'
import { created, ok, operation, type Resource, resource } from './resource.ts'
import { buildShape, showBuild } from './shapes.ts'

const maxDockerfile = 1024 * 1024

/** The fields of a build, here and in the builder's hook. */
export const buildFields = {
  image: rawField('Name of an image').optional(),
  sha: textField({ most: 40, blank: true }).optional(),
  procfile: rawField('Process types with their commands; an object, or the JSON text of one').optional(),
  dockerfile: textField({ most: maxDockerfile, blank: true }).optional(),
}

export function newBuild(body: z.output<z.ZodObject<typeof buildFields>>): NewBuild {
  const { sha = '', dockerfile = '' } = body
  const { image, procfile } = readFields({
    image: () => parseImage(body.image),
    procfile: () => parseProcfile(body.procfile),
  })
  return { image, sha, dockerfile, procfile }
}

/** Whatever keeps a build that was taken from running is a 400 (controller contract, section 1). */
export async function deployBuild(releases: Releases, app: AppId, user: string, build: NewBuild) {
  try {
    return await releases.build(app, user, build)
  } catch (error) {
    const busy = error instanceof Refusal && error.kind === 'conflict' && error.message.startsWith('Deployment for')
    throw busy ? new Refusal('illogical', error.message) : error
  }
}

export function builds(
  store: Store,
  access: AppAccess,
  imageAccess: ImageAccess,
  releases: Releases,
): readonly Resource[] {
  return [
    resource('/v2/apps/:id/builds', access.user, {
      GET: operation({
        summary: 'Builds, newest first.',
        paged: true,
        answers: { 200: pageShape(buildShape) },
        handle: ({ app }: AppCaller, call) => pageAnswer(call, page => store.builds.list(app.id, page), showBuild),
      }),
      POST: idempotent(
        store,
        operation({
          summary: 'Deploys an image.',
          body: z.object(buildFields),
          answers: { 201: buildShape },
          handle: async ({ app, user }: AppCaller, _call, body) => {
            const wanted = newBuild(body)
            await imageAccess.check(user, app, wanted.image)
            const { build } = await deployBuild(releases, app.id, user.username, wanted)
            return created(showBuild(build))
          },
        }),
      ),
    }),
    resource('/v2/apps/:id/builds/:build', access.user, {
      GET: operation({
        summary: 'One build.',
        answers: { 200: buildShape },
        handle: async ({ app }: AppCaller, call) => {
          const build = await store.builds.find(app.id, call.params.build!)
          if (build === null) throw missing('Build')
          return ok(showBuild(build))
        },
      }),
    }),
  ]
}
