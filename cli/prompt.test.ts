import { PassThrough, Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { Output } from './output/output.ts'
import { Prompt } from './prompt.ts'

function terminal() {
  const said: string[] = []
  const stdout = new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      said.push(text)
      done()
    },
  })
  const modes: boolean[] = []
  const keys = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (on: boolean) => void modes.push(on) })
  return { keys, modes, said, prompt: new Prompt(keys, new Output(stdout, stdout, {})) }
}

describe('a password on a terminal', () => {
  test.each([
    ['secret\r', 'secret'],
    ['sekk\x7f\x7fcret\n', 'secret'],
    ['\x7f\x7fé\ud83d\ude00x\b\r', 'é\ud83d\ude00'],
    ['\x04', ''],
  ])('%j', async (typed, password) => {
    const { keys, modes, said, prompt } = terminal()
    const asked = prompt.askSecretly('password: ')
    keys.write(typed)
    expect(await asked).toBe(password)
    // Nothing of it is shown, and the terminal is as before.
    expect([said.join(''), modes]).toEqual(['password: \n', [true, false]])
  })

  test('Ctrl-C', async () => {
    const { keys, modes, prompt } = terminal()
    const asked = prompt.askSecretly('password: ')
    keys.write('abc\x03')
    await expect(asked).rejects.toThrow('Interrupted')
    expect(modes).toEqual([true, false])
  })

  test('two in one go, and an answer after them', async () => {
    const { keys, prompt } = terminal()
    keys.write('one\rtwo\rthree\n')
    expect([await prompt.askSecretly(''), await prompt.askSecretly(''), await prompt.ask('')]).toEqual([
      'one',
      'two',
      'three',
    ])
  })
})

test('lines that are piped in, the last without its end', async () => {
  const { keys, prompt } = terminal()
  keys.end('a \r\nb')
  expect([await prompt.ask(''), await prompt.ask(''), await prompt.ask('')]).toEqual(['a', 'b', ''])
})

test('all that is piped in', async () => {
  const { keys, prompt } = terminal()
  keys.write('a\n')
  keys.end('b')
  expect(await prompt.all()).toBe('a\nb')
})

// A file of more than 64 kB came in pieces, and a letter on an edge was two marks of something broken.
test('what is piped in, cut in the middle of a letter', async () => {
  const { keys, prompt } = terminal()
  const octets = Buffer.from('NAME=é\nSIGN=😀')
  for (let at = 0; at < octets.length; at++) keys.write(octets.subarray(at, at + 1))
  keys.end()
  expect(await prompt.all()).toBe('NAME=é\nSIGN=😀')
})
