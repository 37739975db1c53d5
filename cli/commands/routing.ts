// Whether the router knows the app.

import type { Commands } from '../command.ts'
import type { Settings } from './app-records.ts'
import { change, look } from './setting.ts'

export const commands: Commands = {
  info: look<Settings>("Prints info about the current application's routability.", 'settings', answer => [
    `Routing is ${answer.routable === true ? 'enabled' : 'disabled'}.`,
  ]),
  enable: change('Enables routability for an app.', 'settings', 'Enabling routing for', { routable: true }),
  disable: change('Disables routability for an app.', 'settings', 'Disabling routing for', { routable: false }),
}
