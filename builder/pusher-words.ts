// What a pusher reads (builder contract, section 4); tools wait for these words.

/** Of our own lines, green. In one line with the words, so that nothing comes between them. */
const mark = '\x1b[32m---> \x1b[0m'

export const words = {
  start: `${mark}Starting build... but first, coffee!`,
  waiting: '...',
  built: `${mark}Build complete.`,
  launch: `${mark}Launching App...`,
  done: (app: string, version: number): readonly string[] => [
    `${mark}Done, ${app}:v${version} deployed to Workflow`,
    '',
    `${mark}Use 'deis open' to view this application in your browser`,
    '',
    `${mark}To learn more, use 'deis help' or visit https://deis.com/`,
    '',
  ],
  queued: (before: number): string =>
    `${mark}Waiting for ${before === 1 ? 'another build' : `${before} other builds`}...`,
  leftOut: (name: string): string => `${mark}Left out, as it leads out of the source: ${JSON.stringify(name)}`,
  failed: (reason: string, now: Date): string =>
    `${now.toISOString().slice(0, 19).replaceAll('-', '/').replace('T', ' ')} Error running git receive hook [${reason}]`,
  full: "the builder's disk is full: push again when there is room",
} as const

export const full = "The builder's disk is full: nothing can be pushed until there is room"
export const locked = 'Another git push is ongoing'
export const nameless = 'No repo given'
export const notYours = 'You do not have permission to perform this action.'
