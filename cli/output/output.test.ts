import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { columnLines, keyValueLines, tableLines } from './aligned.ts'
import { Output } from './output.ts'
import { ageText } from './times.ts'

test('keys and values', () => {
  expect(keyValueLines({ warp: 8, ncc: '1701' }, 5)).toEqual(['ncc      1701', 'warp     8'])
  expect(keyValueLines({}, 5)).toEqual([])
})

test('columns', () => {
  expect(
    columnLines(
      [
        ['a', 'x'],
        ['long', 'y'],
      ],
      1,
    ),
  ).toEqual(['a    x', 'long y'])
})

// Contract of the command line, section 6: as the original draws it.
test('a table', () => {
  const headers = ['Name', 'Common Name', 'Domains']
  const rows = [
    ['test-example-com', 'test.example.com', 'test.com,example.com'],
    ['b', '', ''],
  ]
  expect(tableLines(headers, rows)).toEqual([
    '        Name       |   Common Name    |       Domains',
    '+------------------+------------------+----------------------+',
    '  test-example-com | test.example.com | test.com,example.com',
    '  b                |                  |',
  ])
})

test.each([
  [-5, '0s'],
  [45_000, '45s'],
  [180_000, '3m'],
  [5 * 3_600_000, '5h'],
  [12 * 86_400_000, '12d'],
])('age of %i ms', (milliseconds, text) => expect(ageText(milliseconds)).toBe(text))

describe('progress', () => {
  const said = async (isTTY: boolean, env: Record<string, string>, work: Promise<unknown>): Promise<string> => {
    let text = ''
    const stream = new Writable({
      decodeStrings: false,
      write: (part, _encoding, done) => {
        text += part
        done()
      },
    })
    const output = new Output(Object.assign(stream, { isTTY }), stream, env)
    output.print('Creating config... ')
    await output.progress(work).then(
      () => output.line(output.paint('green', 'done')),
      () => {},
    )
    return text
  }

  test('on a terminal it moves', async () => {
    expect(await said(true, {}, Promise.resolve())).toBe('Creating config... ...\b\b\b   \b\b\b\x1b[32mdone\x1b[39m\n')
  })

  test('elsewhere it does not', async () => {
    expect(await said(false, {}, Promise.resolve())).toBe('Creating config... done\n')
  })

  test('without colours where nobody wants them', async () => {
    expect(await said(true, { NO_COLOR: '1' }, Promise.resolve())).toBe('Creating config... ...\b\b\b   \b\b\bdone\n')
  })

  test('what fails ends the line', async () => {
    expect(await said(false, {}, Promise.reject(new Error('no')))).toBe('Creating config... \n')
  })
})
