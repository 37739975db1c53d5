// Dates and spans as people read them.

const day = 86_400_000
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

/** `2 Jan 2006` in UTC; `unknown` for what is no date. */
export function dateText(text: string | null | undefined): string {
  const time = Date.parse(text ?? '')
  if (Number.isNaN(time)) return 'unknown'
  const date = new Date(time)
  return `${date.getUTCDate()} ${months[date.getUTCMonth()]} ${date.getUTCFullYear()}`
}

/** How far away the future is, in years, months or days: `2 months`. */
export function spanText(milliseconds: number): string {
  const days = Math.ceil(milliseconds / day)
  if (days >= 365) return counted(Math.round(days / 365.25), 'year')
  return days >= 31 ? counted(Math.round(days / 30.44), 'month') : counted(days, 'day')
}

/** How old something is, short: `45s`, `3m`, `5h`, `12d`. */
export function ageText(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000))
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 120) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
