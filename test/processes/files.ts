/**
 * Stories of whole processes and machines: services that are killed and start again, platforms from their start to their
 * end. They stay beside what they are about, and run by `npm run test:processes`: each takes as long as hundreds of others.
 */
export const processTests: readonly string[] = [
  '**/killed.test.ts',
  'bench/proxy/probe.test.ts',
  'router/main.test.ts',
  'test/builder/{local-life,platform,server}.test.ts',
  'test/controller/{crash,shutdown}.test.ts',
  'test/e2e/**/*.test.ts',
]
