#!/usr/bin/env bash
# Installs the library into a folder of its own, builds examples/ against it as a stranger would, and runs them. Wants a
# built release: scripts/test_library.sh [build folder]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/release}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
cmake -S examples -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/configure.log" || { cat "$work/configure.log"; exit 1; }
cmake --build "$work/build" -j "$(nproc)"

# run NAME ARGUMENTS: the program must end well and say something.
run() {
  local name=$1
  shift
  echo "--- $name"
  "$work/build/$name" "$@" >"$work/out" 2>"$work/err" || { cat "$work/out" "$work/err"; echo "$name failed"; exit 1; }
  [[ -s $work/out && ! -s $work/err ]] || { cat "$work/err"; echo "$name: expected output, and no complaint"; exit 1; }
  tail -n 3 "$work/out"
}

run own_op
run train README.md "$work/life"
printf 'What is Fude?\nAnd then?\n' | run chat "$work/life/model"
run own_reward "$work/life/model" "Fude is"
printf 'Fude is a program.\nxq zzkj vvv!\n' | run embed "$work/life/model"
"$work/prefix/bin/fude" info "$work/life/model" >/dev/null
# The programs that only generate hold nothing of autograd.
if nm -C "$work/build/embed" | grep -E 'fude::(ClosureTape|GradientStore)'; then echo "embed links autograd"; exit 1; fi
echo "examples: ok"
