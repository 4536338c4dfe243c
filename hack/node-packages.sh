#!/usr/bin/env bash
# Installs the packages that `make e2e` needs, if it runs as root on Debian or Ubuntu.
# Otherwise it changes nothing, and says so.
set -euo pipefail

packages=(containerd runc containernetworking-plugins iptables iproute2 util-linux)

if [[ "$EUID" -ne 0 ]] || ! command -v apt-get >/dev/null; then
  echo "node-packages: not root on Debian or Ubuntu, so nothing is installed" >&2
  exit 0
fi
missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ "$status" == installed ]] || missing+=("$package")
done
if [[ "${#missing[@]}" -eq 0 ]]; then
  exit 0
fi
echo "node-packages: installing ${missing[*]}" >&2
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "${missing[@]}"
