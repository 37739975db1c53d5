// Dates as the API and the environment of processes write them.

/** `2016-02-29T12:34:56Z`: UTC, whole seconds (controller contract, section 1). */
export function dateText(date: Date): string {
  return `${date.toISOString().slice(0, -5)}Z`
}
