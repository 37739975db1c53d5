#!/bin/sh
# Sees to it that the tests find PostgreSQL's server programs: on Debian, as root, they are installed when missing. No
# server is left running: the tests start their own.
set -eu
for directory in /usr/lib/postgresql/*/bin $(echo "$PATH" | tr ':' ' '); do
  if [ -x "$directory/postgres" ] && [ -x "$directory/initdb" ]; then exit 0; fi
done
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo 'PostgreSQL server programs are missing; on Debian, as root: apt-get install postgresql' >&2
  exit 69
fi
# Debian's package would make a database of its own, and start it.
mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends postgresql
