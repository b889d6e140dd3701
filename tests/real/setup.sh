#!/usr/bin/env bash
# Installs from Debian's packages what tests/real/ and tests/e2e/ need and this machine hasn't got. Does nothing, at
# once, where all is there. Starts no daemon: each test starts its own.
set -euo pipefail

# program or file:package, one for each that a test or the benchmark uses
wanted=(
  postgres:postgresql psql:postgresql pgbench:postgresql-contrib
  redis-server:redis-server redis-cli:redis-tools redis-benchmark:redis-tools
  nginx:nginx curl:curl wrk:wrk haproxy:haproxy
  /usr/lib/nginx/modules/ngx_stream_module.so:libnginx-mod-stream
  sshd:openssh-server ssh:openssh-client ssh-keyscan:openssh-client ssh-keygen:openssh-client
  python3:python3 setpriv:util-linux prlimit:util-linux unshare:util-linux
  dockerd:docker.io containerd:containerd docker:docker.io busybox:busybox-static openssl:openssl
  iptables-save:iptables ip6tables-save:iptables umount:mount
  ps:procps sysctl:procps ip:iproute2 ss:iproute2
  dnsmasq:dnsmasq-base dnsperf:dnsperf kdig:knot-dnsutils
  lxd:lxd lxc:lxd nft:nftables conntrack:conntrack pebble:pebble pebble-challtestsrv:pebble
)
# what this Debian no longer has comes from Debian 11
wanted_old=(consul:consul)

# Daemons lie outside an ordinary user's PATH, PostgreSQL's outside everybody's.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
for folder in /usr/lib/postgresql/*/bin; do PATH="$PATH:$folder"; done

# missing PAIR…: the packages whose programs aren't there
missing() {
  local pair
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || [ -f "${pair%%:*}" ] || echo "${pair#*:}"
  done | sort -u
}

mapfile -t packages < <(missing "${wanted[@]}")
mapfile -t old < <(missing "${wanted_old[@]}")
all=("${packages[@]}" "${old[@]}")
if [ "${#all[@]}" -eq 0 ]; then exit 0; fi

if ! command -v apt-get >/dev/null; then
  echo "setup.sh: no apt-get here; install by hand what these Debian packages hold: ${all[*]}" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    echo "setup.sh: needs root; it would install ${all[*]}" >&2
    exit 1
  fi
  as_root=(sudo -n)
fi

echo "setup.sh: installing ${all[*]}"
files="$(mktemp -d)"
trap 'rm -rf "$files"' EXIT
apt() {
  if "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@" \
    >"$files/log" 2>&1 </dev/null; then return; fi
  echo "setup.sh: apt-get $* failed:" >&2
  tail -n 40 "$files/log" >&2
  exit 1
}
if [ "${#packages[@]}" -gt 0 ]; then
  apt update
  apt install -y --no-install-recommends "${packages[@]}"
fi

# Debian 11 is a source of this one call, with lists of its own: the machine's sources don't change, and nothing else is
# ever installed or upgraded from it.
if [ "${#old[@]}" -gt 0 ]; then
  keys=/usr/share/keyrings/debian-archive-keyring.gpg
  # the mirror that this machine has its Debian from
  mirror="$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Label: Debian' | head -n 1)"
  echo "deb [signed-by=$keys] ${mirror:?apt-get knows no mirror of Debian} bullseye main" >"$files/sources.list"
  mkdir -p "$files/lists/partial" "$files/cache/archives/partial"
  apart=(
    -o Dir::Etc::sourcelist="$files/sources.list" -o Dir::Etc::sourceparts=-
    -o Dir::State::lists="$files/lists" -o Dir::Cache="$files/cache" -o APT::Sandbox::User=root
    -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
    -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false
  )
  apt "${apart[@]}" update
  apt "${apart[@]}" install -y --no-install-recommends --no-upgrade "${old[@]}"
fi

mapfile -t all < <(missing "${wanted[@]}" "${wanted_old[@]}")
if [ "${#all[@]}" -gt 0 ]; then
  echo "setup.sh: installed, but the programs of these packages are still not to be found: ${all[*]}" >&2
  exit 1
fi
