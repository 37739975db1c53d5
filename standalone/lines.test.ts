import { expect, test } from 'vitest'
import type { LogLine } from '#logger/line.ts'
import { controllerLines, requestLines } from './lines.ts'

function sink() {
  const lines: LogLine[] = []
  return { lines, write: (line: LogLine) => void lines.push(line) }
}

const request = (app: string): string =>
  `[2026-11-29T16:56:12+00:00] - ${app} - 127.0.0.1 - - - 200 - "GET / HTTP/1.1" - 1 - "-" - "curl" - "x" - 127.0.0.1:5000 - x - 0.012 - 0.013`

const requests: [name: string, text: string, apps: readonly string[]][] = [
  ['of an app', `${request('shop')}\n`, ['shop']],
  ['several at once', `${request('shop')}\n${request('blog-2')}\n`, ['shop', 'blog-2']],
  ['of the platform itself', `${request('deis/deis-controller')}\n`, []],
  ['of nobody', `${request('router-default-vhost')}\n${request('')}\n`, []],
  ['in a format of its own', '{"app":"shop"}\n', []],
]
for (const [name, text, apps] of requests)
  test(`requests: ${name}`, () => {
    const { lines, write } = sink()
    requestLines({ write }, null).write(Buffer.from(text))
    expect(lines.map(({ app, source, process }) => [app, source, process])).toEqual(
      apps.map(app => [app, 'router', null]),
    )
    expect(lines.map(line => line.text)).toEqual(apps.map(request))
  })

const told: [text: string, line: Partial<LogLine> | null][] = [
  ['INFO [shop]: alice deployed 2fd9226', { app: 'shop', text: 'INFO alice deployed 2fd9226' }],
  ['WARNING [blog-2]: says [x]: y', { app: 'blog-2', text: 'WARNING says [x]: y' }],
  ['no line of an app', null],
]
for (const [text, line] of told)
  test(`the controller: ${text}`, () => {
    const { lines, write } = sink()
    controllerLines({ write }).write(`${text}\n`)
    expect(lines).toEqual(
      line === null ? [] : [{ source: 'controller', process: null, time: expect.any(Number), ...line }],
    )
  })
