"""Speed with a busy loop at nice 19 on each core, beside the speed alone.

    python3 bench/contention.py [--passes 3] -- step --filter "f32 step B=4 T=64"
    python3 bench/contention.py -- generate --filter "decode 1"

Runs `fude bench` with the given arguments alone and beside the loops, in turns. The loops run in the same session as Fude:
Linux weighs nice values within a session only (sched_autogroup), and two sessions share a core by halves whatever their
nice values.
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOOP = "import os, sys; os.sched_setaffinity(0, [int(sys.argv[1])]); os.nice(19)\nwhile True: pass"


@contextlib.contextmanager
def busy_loops():
    loops = [subprocess.Popen([sys.executable, "-c", LOOP, str(core)]) for core in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def rows(options):
    command = [options.fude, "--json", "bench", options.bench[0], "--rounds", str(options.rounds), *options.bench[1:]]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [row for row in map(json.loads, done.stdout.splitlines()) if row["unit"] != "MiB"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fude", default=str(ROOT / "build/release/fude"))
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("bench", nargs="+", help="arguments of `fude bench`, behind --")
    options = parser.parse_args()

    alone, beside = {}, {}
    for _ in range(options.passes):
        for row in rows(options):
            alone.setdefault(row["name"], []).append(row)
        with busy_loops():
            for row in rows(options):
                beside.setdefault(row["name"], []).append(row)
    for name in alone:
        values = [statistics.median(row["value"] for row in samples[name]) for samples in (beside, alone)]
        print(json.dumps({"name": name + " beside busy loops", "value": values[0], "unit": alone[name][0]["unit"],
                          "low": min(row["low"] for row in beside[name]), "high": max(row["high"] for row in beside[name]),
                          "limit": values[1], "fraction": round(values[0] / values[1], 4)}))


if __name__ == "__main__":
    main()
