// How status pages look. The policy of the page allows this one style, by its digest, and nothing else at all.

import { createHash } from 'node:crypto'

export const style = `
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#57606a;--line:#d0d7de;--ground:#fff;--band:#f6f8fa;--mark:#0a58ca;--good:#116329;--bad:#b3261e;--warn:#8a5a00}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9aa4af;--line:#3a424b;--ground:#12161b;--band:#1a2027;--mark:#79b0ff;--good:#56d364;--bad:#ff8a80;--warn:#e3b341}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:84rem;padding:1rem 1.25rem 3rem;background:var(--ground);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
h1{font-size:1.35rem;margin:.2rem 0}
h2{font-size:1.05rem;margin:1.8rem 0 .4rem}
a{color:var(--mark)}
header{display:flex;flex-wrap:wrap;gap:.4rem 1.2rem;align-items:baseline;border-bottom:1px solid var(--line);padding-bottom:.5rem}
header form{margin-left:auto}
.dim,footer{color:var(--dim)}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}
.figures{display:flex;flex-wrap:wrap;gap:.6rem 1.4rem;margin:1rem 0;padding:0;list-style:none}
.figures b{display:block;font-size:1.3rem;font-variant-numeric:tabular-nums}
.plots{display:flex;flex-wrap:wrap;gap:1rem 2rem}
.plots figure{margin:0}
figcaption{color:var(--dim);font-size:.9em}
.plot{display:block;overflow:visible;border-bottom:1px solid var(--line)}
.plot polyline{fill:none;stroke:var(--mark);stroke-width:1.5;stroke-linejoin:round}
.plot circle{fill:var(--mark)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.93em}
caption{text-align:left;color:var(--dim);padding:.2rem 0}
th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line)}
th{font-weight:600;color:var(--dim);white-space:nowrap}
td{overflow-wrap:anywhere;unicode-bidi:isolate}
td.number{font-variant-numeric:tabular-nums;white-space:nowrap}
form label{margin-right:.8rem}
input,button{font:inherit;padding:.2rem .5rem}
.notice{border-left:4px solid var(--warn);background:var(--band);padding:.5rem .8rem}
.login{background:var(--band);padding:.8rem 1rem;margin:1rem 0;display:flex;flex-wrap:wrap;gap:.6rem 1rem;align-items:center}
`

const digest = createHash('sha256').update(style).digest('base64')

/** No script, no picture, no font, no frame around it; forms lead back to where the page came from. */
export const pageHeaders: Readonly<Record<string, string>> = {
  'content-security-policy': `default-src 'none'; style-src 'sha256-${digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  // With none at all, browsers would not say where a form comes from.
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}
