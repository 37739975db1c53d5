// 16 kB of JSON as an API sends it: records alike in shape, each with values of its own. The same in every run.

const length = 16_384

export const jsonBody = make()

function make(): string {
  let state = 1
  const draw = (below: number): number => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
  const records: string[] = []
  let octets = 2
  for (let id = 1; ; id++) {
    const record = JSON.stringify({
      id,
      name: `user-${draw(1_000_000).toString(36)}`,
      email: `${draw(1_000_000_000).toString(36)}@mail.example`,
      active: draw(2) === 1,
      score: draw(10_000) / 100,
      tags: ['alpha', 'beta', 'gamma', 'delta'].slice(draw(4)),
    })
    if (octets + record.length + 1 > length - 16) break
    records.push(record)
    octets += record.length + 1
  }
  const body = `[${records.join(',')}`
  return `${body}${' '.repeat(length - body.length - 1)}]`
}
