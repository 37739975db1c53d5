#!/bin/sh
# Sees to it that the cluster suite finds a browser: on Debian, as root, Chromium is installed when it is missing.
set -eu
if command -v chromium >/dev/null; then exit 0; fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo 'Chromium is needed; on Debian, as root: apt-get install chromium' >&2
  exit 69
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends chromium fonts-dejavu-core
