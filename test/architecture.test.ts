// The arrows between rooms, checked by reading imports: what may import what is said here once.

import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')

const services = ['router/', 'controller/', 'builder/', 'registry/', 'logger/', 'cli/', 'store/', 'kit/', 'kube/']

/** A room, and the rooms that it may import beside itself. First match wins. */
const rooms: readonly (readonly [room: string, mayImport: readonly string[]])[] = [
  ['kit/', []],
  ['kube/', ['kit/']],
  ['router/model/', ['kit/']],
  ['router/control/', ['router/model/', 'kit/', 'kube/']],
  ['router/data/', ['router/model/', 'kit/']],
  ['router/', ['kit/', 'kube/']],
  ['store/', ['kit/']],
  ['registry/', ['store/', 'kit/']],
  ['builder/', ['store/', 'kit/', 'kube/']],
  ['controller/domain/', ['kit/']],
  ['controller/store/', ['controller/domain/', 'kit/']],
  ['controller/cluster/', ['controller/domain/', 'kit/', 'kube/']],
  ['controller/', ['kit/', 'kube/']],
  ['logger/', ['kit/', 'kube/']],
  ['cli/', ['kit/']],
  ['standalone/', services],
  ['bench/', [...services, 'test/', 'standalone/']],
  ['test/', [...services, 'bench/', 'standalone/']],
]

/** Tests beside code may use the test support and stand-ins of other rooms. */
const testsMayImport = ['test/', ...services]

const aliases = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).imports as Record<string, string>

const sources = globSync('**/*.ts', { cwd: root, exclude: ['node_modules/**', 'data/**'] }).map(normalize)

interface Import {
  readonly from: string
  readonly specifier: string
  readonly target: string | null
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8')
  const pattern = /^(?:import|export)\s(?:[^'"]*?\sfrom\s)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm
  return [...text.matchAll(pattern)].map(match => {
    const specifier = match[1] ?? match[2]!
    return { from: file, specifier, target: resolve(file, specifier) }
  })
}

/** Path from the root, or null for a package or a module of Node. */
function resolve(file: string, specifier: string): string | null {
  if (specifier.startsWith('.')) return normalize(join(dirname(file), specifier))
  for (const [alias, target] of Object.entries(aliases)) {
    const prefix = alias.slice(0, -1)
    if (specifier.startsWith(prefix)) return normalize(join(target.slice(0, -1), specifier.slice(prefix.length)))
  }
  return null
}

const imports = sources.flatMap(importsOf)

test('sources were found', () => {
  expect(sources).toContain('router/data/exchange.ts')
  expect(imports.length).toBeGreaterThan(100)
})

test('rooms import only along the arrows', () => {
  const wrong = imports.filter(({ from, target }) => {
    if (target === null || (from === 'kit/version.ts' && target === 'package.json')) return false
    const room = rooms.find(([prefix]) => from.startsWith(prefix))
    if (room === undefined) return from !== 'vitest.config.ts'
    const allowed = [room[0], ...room[1], ...(from.endsWith('.test.ts') ? testsMayImport : [])]
    return !allowed.some(prefix => target.startsWith(prefix))
  })
  expect(wrong.map(({ from, specifier }) => `${from} imports ${specifier}`)).toEqual([])
})

test('nothing but tests imports tests', () => {
  const wrong = imports.filter(({ from, target }) => target?.endsWith('.test.ts') && !from.endsWith('.test.ts'))
  expect(wrong).toEqual([])
})

test('modules of Node are named with their prefix, our own with their extension', () => {
  const builtin = new Set([
    'fs',
    'net',
    'tls',
    'http',
    'https',
    'path',
    'os',
    'crypto',
    'events',
    'stream',
    'url',
    'util',
  ])
  const wrong = imports.filter(
    ({ specifier, target }) => builtin.has(specifier) || (target !== null && !/\.(m?ts|mjs|json)$/.test(target)),
  )
  expect(wrong.map(({ from, specifier }) => `${from} imports ${specifier}`)).toEqual([])
})
