// The shape of an explanation: what the document promises, and what the router has to say to be believed.

import { z } from 'zod'
import type { Explanation } from '#kit/explanation.ts'

const object = z.object({ kind: z.string(), namespace: z.string(), name: z.string() })

export const explanationShape = z.object({
  url: z.string(),
  scheme: z.enum(['http', 'https']),
  host: z.string(),
  path: z.string(),
  version: z.int(),
  outcome: z.object({
    kind: z.enum(['app', 'maintenance', 'no-endpoint', 'redirect', 'refused', 'health', 'not-found', 'hidden']),
    status: z.int().nullable(),
    location: z.string().nullable(),
    text: z.string(),
  }),
  route: z
    .object({
      id: z.string(),
      object: object.nullable(),
      app: z.string(),
      host: z.string(),
      path: z.string(),
      https: z.boolean(),
      text: z.string(),
    })
    .nullable(),
  certificate: z
    .object({
      kind: z.enum(['own', 'platform', 'self-signed']),
      secret: object.nullable(),
      names: z.array(z.string()),
      matches: z.boolean(),
      expires: z.string(),
      fingerprint: z.string(),
      text: z.string(),
    })
    .nullable(),
  policies: z.array(
    z.object({
      kind: z.enum([
        'body-size',
        'maintenance',
        'endpoints',
        'enforce-https',
        'allow-list',
        'client-certificate',
        'limits',
        'timeouts',
      ]),
      effect: z.enum(['answers', 'passes', 'depends']),
      values: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])),
      text: z.string(),
    }),
  ),
  upstream: z
    .object({
      id: z.string(),
      protocol: z.string(),
      balance: z.string(),
      total: z.int(),
      ready: z.int(),
      endpoints: z.array(
        z.object({
          address: z.string(),
          state: z.enum(['ready', 'leaving', 'not-ready']),
          used: z.boolean(),
          far: z.boolean(),
        }),
      ),
    })
    .nullable(),
  others: z.array(
    z.object({
      object: object.nullable(),
      host: z.string(),
      path: z.string(),
      reason: z.enum([
        'host-taken',
        'path-taken',
        'less-specific-host',
        'less-specific-path',
        'other-path',
        'not-https',
        'not-routable',
        'other-class',
      ]),
      owner: object.nullable(),
      text: z.string(),
    }),
  ),
  othersLeftOut: z.int(),
  problems: z.array(
    z.object({
      code: z.string(),
      severity: z.enum(['error', 'warning']),
      object,
      message: z.string(),
      since: z.string(),
    }),
  ),
  nearest: z.array(z.string()),
}) satisfies z.ZodType<Explanation>
