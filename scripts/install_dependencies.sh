#!/usr/bin/env bash
# Installs what Fude is built with, from Debian's packages: scripts/install_dependencies.sh [--test] [--ci]
#
#   --test  also what the tests of the command line use: Python, zstd
#   --ci    also clang, clang-format and the fuzzing run-time
#
# Says what it will install before it does, and installs only what is missing. docs/dependencies.md says what each is for.
set -euo pipefail

packages=(g++ cmake ninja-build pkg-config libfmt-dev nlohmann-json3-dev libxxhash-dev libpcre2-dev libutf8proc-dev
          zlib1g-dev libzstd-dev liblzma-dev libcurl4-openssl-dev ca-certificates libssl-dev libzip-dev
          libboost1.81-dev libcli11-dev libtomlplusplus-dev libedit-dev libgtest-dev)
for argument in "$@"; do
  case $argument in
    --test) packages+=(python3 zstd) ;;
    --ci) packages+=(python3 zstd clang clang-format libclang-rt-14-dev) ;;
    *) echo "usage: $0 [--test] [--ci]" >&2; exit 2 ;;
  esac
done

system=unknown
if [[ -r /etc/os-release ]]; then
  system=$(. /etc/os-release && echo "${ID:-unknown} ${VERSION_ID:-}")
fi
if [[ $system != "debian 12" ]]; then
  echo "This script knows Debian 12; on '$system' it is untested and installs nothing."
  echo "Wanted, by Debian's names: ${packages[*]}"
  for tool in cmake ninja pkg-config; do
    command -v "$tool" >/dev/null || { echo "Missing: $tool" >&2; exit 1; }
  done
  command -v g++ >/dev/null || command -v clang++ >/dev/null || { echo "Missing: a C++ compiler" >&2; exit 1; }
  echo "The build tools are there; going on."
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
  [[ $status == "install ok installed" ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  echo "All dependencies are installed."
  exit 0
fi

echo "Will install: ${missing[*]}"
as_root=()
if ((EUID != 0)); then
  command -v sudo >/dev/null || { echo "Run this as root, or install sudo." >&2; exit 1; }
  as_root=(sudo)
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
