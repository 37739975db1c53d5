// The parts of a status page that show a RouterStatus.

import type { ExplainedObject } from '../explanation.ts'
import type { RouterStatus, StatusChange, StatusProblem, StatusRoute, TrafficSeries } from '../router-status.ts'
import { type Html, html, type Part } from './html.ts'
import { plot, shortNumber } from './plot.ts'

/** Numbers of a series of five minutes. */
const span = 60
/** Days that a certificate should still have. */
const soon = 14

export function trafficSection({ now, traffic, routes, problems }: RouterStatus): Html {
  const figure = (label: string, value: Part): Html => html`<li>${label} <b>${value}</b></li>`
  const figures = [
    figure('requests a second', last(traffic.requests)),
    figure('of these failed', last(traffic.errors)),
    figure('mean, ms', last(traffic.mean)),
    figure(routes.search === '' ? 'routes' : 'routes found', routes.total),
    figure('problems', problems.total),
    ...(now === null
      ? []
      : [
          figure('connections', now.connections),
          figure('requests open', now.requests),
          figure('tunnels', now.tunnels),
          figure('endpoints at rest', now.endpointsResting),
          figure('unhealthy ones', now.endpointsUnhealthy),
        ]),
  ]
  const size = { width: 340, height: 80, span }
  const plots = [
    { label: 'Requests a second', unit: 'a second', values: traffic.requests },
    { label: 'Answers with 500 and more', unit: 'a second', values: traffic.errors },
    { label: 'Time of 99 in 100 requests', unit: 'ms', values: traffic.slow },
  ].map(one => html`<figure>${plot({ ...size, ...one })}<figcaption>${one.label}, ${topOf(one)}</figcaption></figure>`)
  return html`<section aria-labelledby="traffic"><h2 id="traffic">Traffic of the last five minutes</h2><ul class="figures">${figures}</ul><div class="plots">${plots}</div></section>`
}

export function problemsSection({ problems: { total, items } }: RouterStatus): Html {
  const rows = items.map(
    ({ code, severity, object, message, since }: StatusProblem) =>
      html`<tr><td class="${severity === 'error' ? 'bad' : 'warn'}">${code}</td><td>${objectText(object)}</td><td>${message}</td><td class="number">${timeOf(since)}</td></tr>`,
  )
  return section('problems', 'Problems', 'Things that somebody wrote and that are not in force.', total, items.length, [
    html`<tr><th scope="col">Code</th><th scope="col">Object</th><th scope="col">What</th><th scope="col">Since</th></tr>`,
    rows,
  ])
}

export function changesSection({ changes: { total, items } }: RouterStatus): Html {
  const rows = items.map(
    ({ time, objects, summary, milliseconds }: StatusChange) =>
      html`<tr><td class="number">${timeOf(time)}</td><td class="number">${milliseconds === null ? 'not yet' : `${shortNumber(milliseconds)} ms`}</td><td>${summary}</td><td>${objects.map(objectText).join(', ')}</td></tr>`,
  )
  return section(
    'changes',
    'Last changes',
    'How long each took to be in force in every data thread.',
    total,
    items.length,
    [
      html`<tr><th scope="col">When</th><th scope="col">Live after</th><th scope="col">What</th><th scope="col">Objects</th></tr>`,
      rows,
    ],
  )
}

export function routesSection(status: RouterStatus, refreshes: boolean): Html {
  const { routes } = status
  const { total, items, search, offset } = routes
  const rows = items.map(route => routeRow(route, status))
  const head = ['Host', 'Path', 'Object', 'Endpoints', 'HTTPS', 'Requests a second', '99 in 100, ms']
  const form = html`<form method="get" action="/"><label>Host, app or object <input name="search" value="${search}" maxlength="100"></label>${refreshes ? null : html`<input type="hidden" name="refresh" value="off">`}<button>Search</button></form>`
  const table = html`<div class="wide"><table><caption>${rangeOf(offset, items.length, total)}</caption><thead><tr>${head.map(text => html`<th scope="col">${text}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div>`
  return html`<section aria-labelledby="routes"><h2 id="routes">Routes</h2>${form}${table}${pages(routes, refreshes)}</section>`
}

function routeRow(route: StatusRoute, { time, appTraffic }: RouterStatus): Html {
  const { host, path, object, app, https, certificate, endpoints, maintenance } = route
  const traffic = Object.hasOwn(appTraffic, app) ? appTraffic[app]! : null
  const idle = endpoints.notReady === 0 ? null : html` <span class="dim">and ${endpoints.notReady} not ready</span>`
  const ready = html`<span class="${endpoints.ready === 0 ? 'bad' : 'good'}">${endpoints.ready} ready</span>${idle}`
  const state = maintenance ? html` <span class="warn">maintenance</span>` : null
  return html`<tr><td>${host}${state}</td><td>${path}</td><td>${object === null ? 'settings of the router' : objectText(object)}</td><td class="number">${ready}</td><td>${httpsText(https, certificate, time)}</td><td class="number">${small(traffic, 'requests', 'a second', app)}</td><td class="number">${small(traffic, 'slow', 'ms', app)}</td></tr>`
}

function httpsText(https: boolean, certificate: StatusRoute['certificate'], time: string): Part {
  if (!https) return html`<span class="dim">no</span>`
  if (certificate === null) return 'the default certificate'
  const days = Math.floor((Date.parse(certificate.expires) - Date.parse(time)) / 86_400_000)
  const date = certificate.expires.slice(0, 10)
  const left = days < 0 ? 'expired' : `${days} days`
  return html`<span class="${days < 0 ? 'bad' : days < soon ? 'warn' : 'good'}">${left}</span> <span class="dim">${date}, ${certificate.id}</span>`
}

/** One app's, with the last number before it. */
function small(traffic: TrafficSeries | null, name: 'requests' | 'slow', unit: string, app: string): Part {
  if (traffic === null) return html`<span class="dim">–</span>`
  const values = traffic[name]
  const label = `${app}, ${name === 'requests' ? 'requests' : '99 in 100'}`
  return html`${last(values)} ${plot({ label, unit, values, width: 110, height: 22, span })}`
}

function section(
  id: string,
  title: string,
  caption: string,
  total: number,
  shown: number,
  [head, rows]: readonly [Html, readonly Html[]],
): Html {
  const left = total > shown ? ` ${total - shown} more are not shown.` : ''
  const body =
    rows.length === 0
      ? html`<p class="dim">None.</p>`
      : html`<div class="wide"><table><caption>${caption}${left}</caption><thead>${head}</thead><tbody>${rows}</tbody></table></div>`
  return html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${body}</section>`
}

function rangeOf(offset: number, shown: number, total: number): string {
  return shown === 0 ? 'None.' : `${offset + 1} to ${offset + shown} of ${total}`
}

/** Of the page that shows the same routes, or others of them. */
export function hrefOf(
  { search, offset }: Pick<RouterStatus['routes'], 'search' | 'offset'>,
  refreshes: boolean,
): string {
  const query = new URLSearchParams({
    ...(search !== '' && { search }),
    ...(offset !== 0 && { offset: String(offset) }),
    ...(!refreshes && { refresh: 'off' }),
  })
  return `?${query}`
}

function pages({ total, items, search, offset, limit }: RouterStatus['routes'], refreshes: boolean): Html | null {
  const link = (to: number, text: string): Html =>
    html`<a href="${hrefOf({ search, offset: to }, refreshes)}">${text}</a> `
  const before = offset > 0 ? link(Math.max(0, offset - limit), 'Before') : null
  const next = items.length > 0 && offset + items.length < total ? link(offset + items.length, 'Next') : null
  return before === null && next === null ? null : html`<nav aria-label="Pages of routes">${before}${next}</nav>`
}

function objectText({ kind, namespace, name }: ExplainedObject): string {
  return `${kind} ${namespace}/${name}`
}

function timeOf(iso: string): Html {
  return html`<time datetime="${iso}">${iso.slice(0, 19).replace('T', ' ')}</time>`
}

function last(values: readonly (number | null)[]): string {
  const value = values.at(-1) ?? null
  return value === null ? '–' : shortNumber(value)
}

function topOf({ unit, values }: { readonly unit: string; readonly values: readonly (number | null)[] }): string {
  return `at most ${shortNumber(Math.max(0, ...values.filter(value => value !== null)))} ${unit}`
}
