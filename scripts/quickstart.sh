#!/usr/bin/env bash
# From a fresh clone to a model to talk to: installs, builds, and runs `fude life`. Arguments go to `fude life`.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install_dependencies.sh
cmake --preset release
cmake --build build/release --target fude -j "$(nproc)"

# Without a terminal nobody answers the chat at the end: it finds the end of its input at once.
if [[ ! -t 0 ]]; then exec </dev/null; fi
exec build/release/fude life "$@"
