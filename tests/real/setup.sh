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
  ps:procps sysctl:procps ip:iproute2 ss:iproute2
)

# Daemons lie outside an ordinary user's PATH, PostgreSQL's outside everybody's.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
for folder in /usr/lib/postgresql/*/bin; do PATH="$PATH:$folder"; done

missing() {
  local pair
  for pair in "${wanted[@]}"; do
    command -v "${pair%%:*}" >/dev/null || [ -f "${pair%%:*}" ] || echo "${pair#*:}"
  done | sort -u
}

mapfile -t packages < <(missing)
if [ "${#packages[@]}" -eq 0 ]; then exit 0; fi

if ! command -v apt-get >/dev/null; then
  echo "setup.sh: no apt-get here; install by hand what these Debian packages hold: ${packages[*]}" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    echo "setup.sh: needs root; run: sudo apt-get install -y ${packages[*]}" >&2
    exit 1
  fi
  as_root=(sudo -n)
fi

echo "setup.sh: installing ${packages[*]}"
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
apt() {
  if "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@" \
    >"$log" 2>&1 </dev/null; then return; fi
  echo "setup.sh: apt-get $* failed:" >&2
  tail -n 40 "$log" >&2
  exit 1
}
apt update
apt install -y --no-install-recommends "${packages[@]}"

mapfile -t packages < <(missing)
if [ "${#packages[@]}" -gt 0 ]; then
  echo "setup.sh: installed, but the programs of these packages are still not to be found: ${packages[*]}" >&2
  exit 1
fi
