// Versions of both sides.

import { version } from '#kit/version.ts'
import { apiVersion } from '../api-version.ts'
import { type Command, type Commands, jsonOption } from '../command.ts'
import { labelLines } from '../output/aligned.ts'

const show: Command = {
  about: 'Displays the client version.',
  options: [{ name: 'all', short: 'a', help: 'list all version information, the controller included.' }, jsonOption],
  async run(context, args) {
    const { output } = context
    if (!args.flag('all')) {
      if (args.flag('json')) output.json({ client: `v${version}` })
      else output.line(`v${version}`)
      return
    }
    const { version: controller } = await (await context.client()).ask('GET', '/healthz')
    if (args.flag('json'))
      return output.json({ client: `v${version}`, clientApi: apiVersion, controllerApi: controller })
    output.lines(
      labelLines(
        [
          ['Workflow CLI Version:', `v${version}`],
          ['Workflow CLI API Version:', apiVersion],
          ['Workflow Controller API Version:', controller],
        ],
        33,
      ),
    )
  },
}

export const commands: Commands = { '': show }
