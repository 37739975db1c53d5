// Shortcuts, and what they stand for.

import { compareText } from '#kit/compare-text.ts'
import { shortcuts } from '../catalogue.ts'
import { type Command, type Commands, jsonOption } from '../command.ts'

const list: Command = {
  about: 'Lists all relevant shortcuts for the CLI.',
  options: [jsonOption],
  async run({ output }, args) {
    if (args.flag('json')) return output.json(shortcuts)
    for (const name of Object.keys(shortcuts).sort(compareText)) output.line(`${name} -> ${shortcuts[name]}`)
  },
}

export const commands: Commands = { list }
