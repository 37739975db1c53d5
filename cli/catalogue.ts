// All groups of commands and their verbs, as the help lists them. What a verb does is in `commands/`, and loaded for it.

import type { Commands } from './command.ts'

export interface Group {
  /** In the help of `deis`; empty: it is not listed there. */
  readonly about: string
  /** What the group alone runs; null: it prints its verbs. */
  readonly bare: string | null
  /** With the line that tells what each does. */
  readonly verbs: Readonly<Record<string, string>>
  load(): Promise<{ readonly commands: Commands }>
}

/** In alphabetical order. A group whose one verb is empty is a command without verbs. */
export const groups: Readonly<Record<string, Group>> = {
  apps: {
    about: 'manage applications used to provide services',
    bare: 'list',
    verbs: {
      create: 'create a new application',
      list: 'list accessible applications',
      info: 'view info about an application',
      open: 'open the application in a browser',
      logs: 'view aggregated application logs',
      run: 'run a command in an ephemeral app container',
      destroy: 'destroy an application',
      transfer: 'transfer app ownership to another user',
    },
    load: () => import('./commands/apps.ts'),
  },
  auth: {
    about: '',
    bare: null,
    verbs: {
      register: 'register a new user',
      login: 'authenticate against a controller',
      logout: 'clear the current user session',
      passwd: 'change the password for the current user',
      whoami: 'display the current user',
      cancel: 'remove the current user account',
      regenerate: 'regenerate user tokens',
    },
    load: () => import('./commands/auth.ts'),
  },
  autoscale: {
    about: 'manage autoscale for applications',
    bare: 'list',
    verbs: {
      list: 'list autoscale options of an application',
      set: 'turn on autoscale for an app',
      unset: 'turn off autoscale for an app',
    },
    load: () => import('./commands/autoscale.ts'),
  },
  builds: {
    about: "manage builds created using 'git push'",
    bare: 'list',
    verbs: {
      list: 'list build history for an application',
      create: 'imports an image and deploys as a new release',
    },
    load: () => import('./commands/builds.ts'),
  },
  certs: {
    about: 'manage SSL endpoints for an app',
    bare: 'list',
    verbs: {
      list: 'list SSL certificates for an app',
      add: 'add an SSL certificate to an app',
      remove: 'remove an SSL certificate from an app',
      info: 'get detailed information about the certificate',
      attach: 'attach an SSL certificate to a domain',
      detach: 'detach an SSL certificate from a domain',
    },
    load: () => import('./commands/certs.ts'),
  },
  completion: {
    about: 'print what makes a shell complete deis commands',
    bare: '',
    verbs: { '': 'print what makes a shell complete deis commands' },
    load: () => import('./commands/completion.ts'),
  },
  config: {
    about: 'manage environment variables that define app config',
    bare: 'list',
    verbs: {
      list: 'list environment variables for an app',
      set: 'set environment variables for an app',
      unset: 'unset environment variables for an app',
      pull: 'extract environment variables to .env',
      push: 'set environment variables from .env',
    },
    load: () => import('./commands/config.ts'),
  },
  doctor: {
    about: 'check all that a push and a request need',
    bare: '',
    verbs: { '': 'check all that a push and a request need' },
    load: () => import('./commands/doctor.ts'),
  },
  domains: {
    about: 'manage and assign domain names to your applications',
    bare: 'list',
    verbs: {
      add: 'bind a domain to an application',
      list: 'list domains bound to an application',
      remove: 'unbind a domain from an application',
    },
    load: () => import('./commands/domains.ts'),
  },
  git: {
    about: 'manage git for applications',
    bare: null,
    verbs: {
      remote: 'Adds git remote of application to repository',
      remove: 'Removes git remote of application from repository',
    },
    load: () => import('./commands/git.ts'),
  },
  healthchecks: {
    about: 'manage healthchecks for applications',
    bare: 'list',
    verbs: {
      list: 'list healthchecks for an app',
      set: 'set healthchecks for an app',
      unset: 'unset healthchecks for an app',
    },
    load: () => import('./commands/healthchecks.ts'),
  },
  keys: {
    about: "manage ssh keys used for 'git push' deployments",
    bare: 'list',
    verbs: {
      list: 'list SSH keys for the logged in user',
      add: 'add an SSH key',
      remove: 'remove an SSH key',
    },
    load: () => import('./commands/keys.ts'),
  },
  labels: {
    about: 'manage labels of application',
    bare: 'list',
    verbs: {
      list: "list application's labels",
      set: "add new application's label",
      unset: "remove application's label",
    },
    load: () => import('./commands/labels.ts'),
  },
  limits: {
    about: 'manage resource limits for your application',
    bare: 'list',
    verbs: {
      list: 'list resource limits for an app',
      set: 'set resource limits for an app',
      unset: 'unset resource limits for an app',
    },
    load: () => import('./commands/limits.ts'),
  },
  maintenance: {
    about: 'manage maintenance mode of an application',
    bare: 'info',
    verbs: {
      info: 'view maintenance mode of an application',
      on: 'turn on maintenance for an app',
      off: 'turn off maintenance for an app',
    },
    load: () => import('./commands/maintenance.ts'),
  },
  perms: {
    about: 'manage permissions for applications',
    bare: 'list',
    verbs: {
      list: 'list permissions granted on an app',
      create: 'create a new permission for a user',
      delete: 'delete a permission for a user',
    },
    load: () => import('./commands/perms.ts'),
  },
  ps: {
    about: 'manage processes inside an app container',
    bare: 'list',
    verbs: {
      list: 'list application processes',
      restart: 'restart an application or its process types',
      scale: 'scale processes (e.g. web=4 worker=2)',
    },
    load: () => import('./commands/ps.ts'),
  },
  registry: {
    about: 'manage private registry information for your application',
    bare: 'list',
    verbs: {
      list: 'list registry info for an app',
      set: 'set registry info for an app',
      unset: 'unset registry info for an app',
    },
    load: () => import('./commands/registry.ts'),
  },
  releases: {
    about: 'manage releases of an application',
    bare: 'list',
    verbs: {
      list: "list an application's release history",
      info: 'print information about a specific release',
      rollback: 'return to a previous release',
    },
    load: () => import('./commands/releases.ts'),
  },
  router: {
    about: 'see how requests find an application',
    bare: null,
    verbs: { explain: 'tell what the router does with a URL, and why' },
    load: () => import('./commands/router.ts'),
  },
  routing: {
    about: 'manage routability of an application',
    bare: 'info',
    verbs: {
      info: 'view routability of an application',
      enable: 'enable routing for an app',
      disable: 'disable routing for an app',
    },
    load: () => import('./commands/routing.ts'),
  },
  shortcuts: {
    about: '',
    bare: 'list',
    verbs: { list: 'list all relevant shortcuts for the CLI' },
    load: () => import('./commands/shortcuts.ts'),
  },
  tags: {
    about: 'manage tags for application containers',
    bare: 'list',
    verbs: {
      list: 'list tags for an app',
      set: 'set tags for an app',
      unset: 'unset tags for an app',
    },
    load: () => import('./commands/tags.ts'),
  },
  tls: {
    about: 'manage TLS settings for applications',
    bare: 'info',
    verbs: {
      info: "view info about an application's TLS settings",
      enable: 'enables the router to enforce https-only requests to an application',
      disable: 'disables the router to enforce https-only requests to an application',
    },
    load: () => import('./commands/tls.ts'),
  },
  users: {
    about: 'manage users',
    bare: 'list',
    verbs: { list: 'list all registered users' },
    load: () => import('./commands/users.ts'),
  },
  version: {
    about: 'display client version',
    bare: '',
    verbs: { '': 'display client version' },
    load: () => import('./commands/version.ts'),
  },
  whitelist: {
    about: 'manage whitelisted addresses of an application',
    bare: 'list',
    verbs: {
      add: "adds addresses to the application's whitelist",
      list: "list addresses in the application's whitelist",
      remove: "remove addresses from the application's whitelist",
    },
    load: () => import('./commands/whitelist.ts'),
  },
}

export const shortcuts: Readonly<Record<string, string>> = {
  create: 'apps:create',
  destroy: 'apps:destroy',
  info: 'apps:info',
  login: 'auth:login',
  logout: 'auth:logout',
  logs: 'apps:logs',
  open: 'apps:open',
  passwd: 'auth:passwd',
  pull: 'builds:create',
  register: 'auth:register',
  rollback: 'releases:rollback',
  run: 'apps:run',
  scale: 'ps:scale',
  sharing: 'perms:list',
  'sharing:add': 'perms:create',
  'sharing:list': 'perms:list',
  'sharing:remove': 'perms:delete',
  whoami: 'auth:whoami',
}

/** As it is typed: `apps:list`, `doctor`. */
export function commandName(group: string, verb: string): string {
  return verb === '' ? group : `${group}:${verb}`
}

/** Everything that may be typed as a command. */
export function commandNames(): string[] {
  const full = Object.entries(groups).flatMap(([group, { verbs }]) =>
    Object.keys(verbs).map(verb => commandName(group, verb)),
  )
  return [...new Set([...Object.keys(groups), ...full, ...Object.keys(shortcuts), 'help'])]
}
