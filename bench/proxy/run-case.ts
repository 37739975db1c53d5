// One case from start to end: every proxy is started, checked and warmed up, then all are measured in turns
// (A B C A B C …), so that a machine that slows down for a while slows all of them.

import { selfSign } from '#kit/self-signed.ts'
import { messageOf } from '../support/errors.ts'
import { clockTicks } from '../support/machine.ts'
import { hostNames } from '../support/manifests.ts'
import type { Workbench } from '../support/workbench.ts'
import type { Backend } from './backend.ts'
import type { Case } from './cases.ts'
import { chooseLoad } from './load.ts'
import { type Measurement, measure, type Setting, warmUp } from './measure.ts'
import type { Options } from './options.ts'
import { checkWork } from './probe.ts'
import type { CaseResult } from './result.ts'
import type { Serving, Subject, Work } from './subject.ts'

/** What all cases of a run share. */
export interface Run {
  readonly bench: Workbench
  readonly options: Options
  readonly backend: Backend
  readonly proxyCpu: number | null
  readonly loadCpu: number | null
}

/** A row in the making. */
interface Contender {
  readonly subject: Subject
  readonly rounds: Measurement[]
  serving: Serving | null
  tls: string | null
  trouble: string | null
}

/** Never throws for a proxy that is absent, cannot start, does other work or ends: its row says so. */
export async function runCase(run: Run, work: Case, chosen: readonly Subject[]): Promise<CaseResult> {
  const { bench, options, backend, proxyCpu } = run
  const hosts = hostNames(work.routes)
  const load = chooseLoad(work)
  const setting: Setting = {
    ...{ bench, work, backend, hosts, proxyCpu },
    ...{ load, loadCpu: run.loadCpu, ticksPerSecond: clockTicks() },
    connections: work.connections ?? options.connections,
  }
  const place: Work = {
    name: work.name,
    scheme: work.scheme,
    protocol: work.protocol,
    pair: selfSign(hosts.slice(0, 1), 30, Date.now()),
    hosts,
    compresses: work.compression !== 'off',
    bulk: work.requestBytes + work.answerBytes >= 16_384,
    backendPort: backend.port,
    workers: 1,
    cpu: proxyCpu,
  }
  const contenders = chosen.map(
    (subject): Contender => ({ subject, rounds: [], serving: null, tls: null, trouble: null }),
  )
  for (const contender of contenders) {
    const absence = load.absence() ?? contender.subject.absence()
    if (absence !== null) contender.trouble = `absent: ${absence}`
    else if (place.protocol === 'h2' && !contender.subject.canHttp2)
      contender.trouble = 'absent: it does not serve HTTP/2'
    else if (place.compresses && !contender.subject.canCompress)
      contender.trouble = 'absent: it does not compress with gzip at a given level'
    else await attempt(contender, () => prepare(contender, setting, place, options.warmup))
  }
  for (let round = 0; round < options.repeats; round++) {
    for (const contender of contenders) {
      const { serving, rounds } = contender
      if (serving === null || contender.trouble !== null) continue
      await attempt(contender, async () => rounds.push(await measure(setting, serving, options.seconds)))
    }
  }
  for (const { serving } of contenders) if (serving !== null) await bench.stop(serving.running)
  return {
    work,
    rows: contenders.map(({ subject, rounds, tls, trouble }) => ({ subject: subject.name, rounds, tls, trouble })),
  }
}

async function prepare(contender: Contender, setting: Setting, place: Work, seconds: number): Promise<void> {
  contender.serving = await contender.subject.start(setting.bench, place)
  contender.tls = await checkWork(setting.work, contender.serving, setting.hosts)
  await warmUp(setting, contender.serving, seconds)
}

async function attempt(contender: Contender, action: () => Promise<unknown>): Promise<void> {
  try {
    await action()
  } catch (error) {
    contender.trouble = `failed: ${messageOf(error)}`
  }
}
