// Times as lines of the access log tell them.

const thousandths = Array.from({ length: 1000 }, (_, i) => String(i).padStart(3, '0'))
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

/** Milliseconds as seconds with three decimals. */
export function seconds(milliseconds: number): string {
  const whole = Math.round(milliseconds)
  if (whole < 1000) return whole < 0 ? '0.000' : `0.${thousandths[whole]}`
  return `${Math.floor(whole / 1000)}.${thousandths[whole % 1000]}`
}

/** `31/May/2016:16:56:12 +0000`, the form of Common Log Format, of `2016-05-31T16:56:12+00:00`. */
export function commonLogTime(iso: string): string {
  const [, year, month, day, time, offset = ''] = /^(\d+)-(\d+)-(\d+)T([\d:]+)(.*)$/.exec(iso) ?? []
  return month === undefined ? '-' : `${day}/${months[Number(month) - 1]}/${year}:${time} ${offset.replace(':', '')}`
}
