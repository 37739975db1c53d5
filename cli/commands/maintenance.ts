// Maintenance mode: the router answers for the app.

import type { Commands } from '../command.ts'
import type { Settings } from './app-records.ts'
import { change, look } from './setting.ts'

export const commands: Commands = {
  info: look<Settings>("Prints info about the current application's maintenance state.", 'settings', answer => [
    `Maintenance mode is ${answer.maintenance === true ? 'on' : 'off'}.`,
  ]),
  on: change('Enables maintenance mode for an app.', 'settings', 'Enabling maintenance mode for', {
    maintenance: true,
  }),
  off: change('Disables maintenance mode for an app.', 'settings', 'Disabling maintenance mode for', {
    maintenance: false,
  }),
}
