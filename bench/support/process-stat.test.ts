import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import {
  descendants,
  parseCpuTimes,
  parseProcessStat,
  parseResidentSize,
  treeResidentSize,
  treeTicks,
} from './process-stat.ts'

const tail = '4194560 6531 0 12 0 310 45 7 3 20 0 1 0 8412 58531840 3021 18446744073709551615 1 1 0 0 0 0 0 4096'

const stats: [name: string, text: string, want: ReturnType<typeof parseProcessStat>][] = [
  ['plain', `812 (nginx) S 811 811 800 34817 811 ${tail}\n`, { pid: 812, parent: 811, ticks: 365 }],
  ['blanks in the name', `9 (tmux: server) S 1 9 9 0 -1 ${tail}`, { pid: 9, parent: 1, ticks: 365 }],
  ['parentheses in the name', `9 (a) R 3 (b)) S 1 9 9 0 -1 ${tail}`, { pid: 9, parent: 1, ticks: 365 }],
  ['cut short', '812 (nginx) S 811 811 800', null],
  ['empty', '', null],
  ['no numbers', '812 (nginx) S x 1 1 1 1 1 1 1 1 1 y 1 1 1', null],
]
for (const [name, text, want] of stats) test(`stat: ${name}`, () => expect(parseProcessStat(text)).toEqual(want))

test('resident size is in bytes', () => {
  expect(parseResidentSize('Name:\tnode\nVmHWM:\t 9000 kB\nVmRSS:\t   1024 kB\nThreads:\t7\n')).toBe(1_048_576)
  expect(parseResidentSize('Name:\tkthreadd\nThreads:\t1\n')).toBeNull()
})

const cpuStat = `cpu  30 0 30 300 6 0 3 0 0 0
cpu0 10 2 20 100 5 1 3 4 0 0
cpu1 20 0 10 200 1 0 0 0 0 0
cpu10 1 1 1 1 1 1 1 1 0 0
intr 1 2 3
`
const cpuTimes: [cpu: number, want: ReturnType<typeof parseCpuTimes>][] = [
  [0, { busy: 40, total: 145 }],
  [1, { busy: 30, total: 231 }],
  [10, { busy: 6, total: 8 }],
  [2, null],
]
for (const [cpu, want] of cpuTimes) test(`times of CPU ${cpu}`, () => expect(parseCpuTimes(cpuStat, cpu)).toEqual(want))

test('descendants are found at any depth and nobody else is', () => {
  const tree = [
    { pid: 4, parent: 3, ticks: 0 },
    { pid: 1, parent: 0, ticks: 0 },
    { pid: 2, parent: 1, ticks: 0 },
    { pid: 3, parent: 2, ticks: 0 },
    { pid: 5, parent: 1, ticks: 0 },
  ]
  expect(descendants(2, tree).map(stat => stat.pid)).toEqual([2, 3, 4])
  expect(descendants(99, tree)).toEqual([])
})

test.runIf(process.platform === 'linux')(
  'a child that burns CPU counts for its parent, alive and after its end',
  async () => {
    // Until it has used 100 ms of CPU, however long that takes on a busy machine.
    const burn = 'while (process.cpuUsage().user + process.cpuUsage().system < 100_000);'
    const script = `
    const { spawn } = require('node:child_process')
    const child = spawn(process.execPath, ['-e', ${JSON.stringify(burn)}])
    child.on('exit', () => process.stdout.write('done'))
    process.stdin.resume()`
    const parent = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
    try {
      await once(parent.stdout, 'data')
      expect(treeTicks([parent.pid!])[0]).toBeGreaterThanOrEqual(9)
      expect(treeResidentSize(parent.pid!)).toBeGreaterThan(10_000_000)
    } finally {
      parent.kill('SIGKILL')
      await once(parent, 'exit')
    }
    expect(treeTicks([parent.pid!])).toEqual([0])
  },
)
