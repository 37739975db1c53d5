// Lines of apps on their way to the logger, which in a cluster are collected from the logs of pods: what processes write,
// what the controller tells, and what the router's access log says of each request.

import { Writable } from 'node:stream'
import type { LineWriter } from '#kit/line-writer.ts'
import { type Attribute, controllerLine, routerLine } from '#logger/collector/attribution.ts'
import type { LogLine } from '#logger/line.ts'

/** Who keeps them. Never throws, and never waits. */
export interface LineSink {
  write(line: LogLine): void
}

/** Takes the controller's lines for apps. */
export function controllerLines(sink: LineSink): Writable {
  return byLine(controllerLine, sink)
}

/** Takes the router's access log. `shown`: where it goes as well. */
export function requestLines(sink: LineSink, shown: LineWriter | null): Writable {
  return byLine(routerLine, sink, shown)
}

/** For who writes whole lines only. Those of no app are nobody's. */
function byLine(attribute: Attribute, sink: LineSink, shown: LineWriter | null = null): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      shown?.write(chunk)
      for (const text of chunk.toString().split('\n')) {
        const line = attribute(Date.now(), text)
        if (line !== null) sink.write(line)
      }
      done()
    },
  })
}
