#!/bin/sh
# Sees to it that the tests find git and the programs of OpenSSH's client: on Debian, as root, they are installed when missing.
set -eu
if command -v git >/dev/null && command -v ssh >/dev/null && command -v ssh-keygen >/dev/null; then exit 0; fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo 'git and ssh are needed; on Debian, as root: apt-get install git openssh-client' >&2
  exit 69
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends git openssh-client
