// `/v2/openapi.json`: the document (OpenAPI 3.1) is made of the declarations that make the routes, and of nothing else.

import { z } from 'zod'
import type { Authentication } from './authentication.ts'
import { type AnswerShape, type Operation, ok, operation, type Resource, resource } from './resource.ts'
import { apiVersion, appId } from './server.ts'

type Schema = Readonly<Record<string, unknown>>

/** The resource that serves the document of `resources`, itself included. */
export function withDocument(resources: readonly Resource[], authentication: Authentication): readonly Resource[] {
  let document: Schema | null = null
  const all: Resource[] = [...resources]
  all.push(
    resource('/v2/openapi.json', authentication.anyone, {
      GET: operation({
        summary: 'This document.',
        answers: { 200: z.looseObject({ openapi: z.string() }) },
        handle: async () => {
          document ??= documentOf(all)
          return ok(document)
        },
      }),
    }),
  )
  return all
}

function documentOf(resources: readonly Resource[]): Schema {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Deis Workflow controller',
      version: apiVersion,
      description: 'Apps, builds, releases, config, domains and certificates of the platform.',
    },
    components: {
      securitySchemes: {
        token: {
          type: 'apiKey',
          in: 'header',
          name: 'Authorization',
          description: '`token` and, after a space, the token of a login.',
        },
        builder: { type: 'apiKey', in: 'header', name: 'X-Deis-Builder-Auth' },
        basic: { type: 'http', scheme: 'basic' },
      },
      schemas: { Fault: faultSchema },
    },
    paths: Object.fromEntries(resources.map(one => [pathOf(one), pathItem(one)])),
  }
}

/** A field with its messages, `detail`, or a sentence alone. */
const faultSchema: Schema = {
  oneOf: [
    { type: 'string' },
    {
      type: 'object',
      additionalProperties: { oneOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] },
    },
  ],
}

const json = (schema: Schema): Schema => ({ 'application/json': { schema } })
const fault: Schema = { description: 'Not done, and why.', content: json({ $ref: '#/components/schemas/Fault' }) }

/** An object that is not there, or a path that is none. */
const notFound: Schema = {
  description: 'There is no such thing.',
  content: { ...json({ $ref: '#/components/schemas/Fault' }), 'text/html': { schema: { type: 'string' } } },
}

/** Where a slash may end the path or not, the document has it with. */
function pathOf({ path, slash }: Resource): string {
  const template = path.replace(/:([a-z]+)/g, '{$1}')
  return slash === 'forbidden' || /\.json$|^\/(healthz|readiness)$/.test(path) ? template : `${template}/`
}

function pathItem(one: Resource): Schema {
  const parameters = [...one.path.matchAll(/:([a-z]+)/g)].map(([, name]) => ({
    ...{ name, in: 'path', required: true },
    schema: name === 'id' ? { type: 'string', pattern: appId.source } : { type: 'string' },
  }))
  const operations = Object.entries(one.methods).map(([method, declared]) => [
    method.toLowerCase(),
    operationItem(one, declared),
  ])
  return { ...(parameters.length === 0 ? {} : { parameters }), ...Object.fromEntries(operations) }
}

function operationItem({ access }: Resource, declared: Operation<unknown>): Schema {
  const { summary, body, paged, query, answers } = declared
  const page = { limit: 'Items of one page, 100 when absent', offset: 'Items before the page' }
  const parameters = Object.entries({ ...(paged ? page : {}), ...query }).map(([name, said]) => ({
    ...{ name, in: 'query' },
    ...(typeof said === 'string' ? { description: said, schema: { type: 'integer', minimum: 0 } } : said),
  }))
  return {
    summary,
    ...(access.scheme === null ? {} : { security: [{ [access.scheme]: [] }] }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === null ? {} : { requestBody: { content: json(jsonSchema(body, 'input')) } }),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, shape]) => [status, answerItem(shape)])),
      '404': notFound,
      '4XX': fault,
      '5XX': fault,
    },
  }
}

function answerItem(shape: AnswerShape): Schema {
  if (shape === null) return { description: 'Done.' }
  if (typeof shape === 'string') return { description: 'Done.', content: { [shape]: { schema: { type: 'string' } } } }
  return { description: 'Done.', content: json(jsonSchema(shape, 'output')) }
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Schema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return rest
}
