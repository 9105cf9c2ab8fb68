#!/usr/bin/env bash
# From a fresh clone to a chat: installs, builds, gets the default model, and lets you talk to it.
#
#   scripts/quickstart.sh          a chat with SmolLM2 135M, which is downloaded once (98 MB)
#   scripts/quickstart.sh life …   `fude life …` instead: a tiny model is trained before your eyes; nothing is downloaded
#
# Without a terminal the chat answers the lines of its input, or one question if there are none.
set -euo pipefail
cd "$(dirname "$0")/.."

if (($# > 0)) && [[ $1 != life ]]; then
  echo "usage: $0 [life …]" >&2
  exit 2
fi

scripts/install_dependencies.sh
cmake --preset release
cmake --build build/release --target fude -j "$(nproc)"

if [[ ${1:-} == life ]]; then
  # Without a terminal nobody answers the chat at the end: it finds the end of its input at once.
  if [[ ! -t 0 ]]; then exec </dev/null; fi
  exec build/release/fude "$@"
fi

build/release/fude pull smollm2
if [[ -t 0 ]]; then exec build/release/fude chat smollm2; fi
questions=$(cat)
exec build/release/fude chat smollm2 --temperature 0 --max-tokens 100 <<<"${questions:-What is the capital of Japan?}"
