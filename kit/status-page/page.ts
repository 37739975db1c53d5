// The status page: what somebody who operates the platform, or has an app on it, wants to see first. From data to HTML, and
// nothing else: the router's admin port and the controller show the same page of what each of them knows. It works without
// scripts, and has none.

import type { RouterStatus } from '../router-status.ts'
import { Html, html } from './html.ts'
import { changesSection, hrefOf, problemsSection, routesSection, trafficSection } from './sections.ts'
import { pageHeaders, style } from './style.ts'

/** Seconds after which a page comes anew. */
export const refreshInterval = 15

/** A part of the platform. */
export interface StatusPart {
  readonly name: string
  readonly state: 'up' | 'away' | 'not set'
}

export interface StatusView {
  readonly title: string
  readonly version: string
  /** Empty: none are looked at. */
  readonly parts: readonly StatusPart[]
  /** Null: there is none to be shown, here or to this visitor. */
  readonly status: RouterStatus | null
  /** Something to be said first. */
  readonly notice: string | null
  /** Who is logged in; null: nobody. */
  readonly person: { readonly username: string; readonly isAdministrator: boolean } | null
  /** Whether to ask for a login. */
  readonly login: boolean
  /** Seconds after which the page comes anew; null: it stays. */
  readonly refresh: number | null
}

export interface StatusPage {
  readonly body: string
  /** What has to go with it. */
  readonly headers: Readonly<Record<string, string>>
}

export function statusPage(view: StatusView): StatusPage {
  const { title, version, parts, status, notice, person, login, refresh } = view
  const again = refresh === null ? null : html`<meta http-equiv="refresh" content="${refresh}">`
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
${again}
<title>${title}</title>
<style>${styleText}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<span class="dim">${version}</span>
${status === null ? null : healthLine(status)}
${person === null ? null : personForm(person)}
</header>
<main>
${notice === null ? null : html`<p class="notice" role="alert">${notice}</p>`}
${parts.length === 0 ? null : partsList(parts)}
${login ? loginForms : null}
${status === null ? null : statusSections(status, refresh)}
</main>
${status === null ? null : footer(status, refresh)}
</body>
</html>
`
  return { body: page.toString(), headers: pageHeaders }
}

/** It holds nobody's text, and what is sent has to be what the policy has the digest of. */
const styleText = new Html(style)

function healthLine({ healthy, health }: RouterStatus): Html {
  return healthy ? html`<span class="good">● serving</span>` : html`<span class="bad">● ${health}</span>`
}

function personForm({ username, isAdministrator }: NonNullable<StatusView['person']>): Html {
  const what = isAdministrator ? 'administrator: all routes are shown' : 'the routes of your apps are shown'
  return html`<form method="post" action="/"><input type="hidden" name="action" value="logout"><span class="dim">${username}, ${what}</span> <button>Log out</button></form>`
}

const loginForms = html`<form method="post" action="/" class="login">
<input type="hidden" name="action" value="login">
<label>User name <input name="username" autocomplete="username" maxlength="150" required></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button>Log in</button>
</form>
<form method="post" action="/" class="login">
<input type="hidden" name="action" value="token">
<label>or a token <input name="token" type="password" autocomplete="off" maxlength="100" required></label>
<button>Show</button>
</form>`

const partWords = { up: 'up', away: 'does not answer', 'not set': 'not set up' } as const
const partClasses = { up: 'good', away: 'bad', 'not set': 'dim' } as const

function partsList(parts: readonly StatusPart[]): Html {
  const items = parts.map(
    ({ name, state }) => html`<li>${name} <b class="${partClasses[state]}">${partWords[state]}</b></li>`,
  )
  return html`<ul class="figures" aria-label="Parts of the platform">${items}</ul>`
}

function statusSections(status: RouterStatus, refresh: number | null): readonly Html[] {
  return [
    trafficSection(status),
    problemsSection(status),
    changesSection(status),
    routesSection(status, refresh !== null),
  ]
}

function footer({ time, release, configuration, routes }: RouterStatus, refresh: number | null): Html {
  const { version, changedAt, snapshotOf } = configuration
  const source =
    snapshotOf === null ? null : html` <b class="warn">The source is away: this is the snapshot of ${snapshotOf}.</b>`
  const turn =
    refresh === null
      ? html`<a href="${hrefOf(routes, true)}">Show it anew every few seconds</a>`
      : html`It comes anew every ${refresh} s. <a href="${hrefOf(routes, false)}">Stop that</a>`
  return html`<footer><p>Router ${release}, configuration ${version}${changedAt === null ? null : ` of ${changedAt}`}, seen at ${time}.${source} ${turn}</p></footer>`
}
