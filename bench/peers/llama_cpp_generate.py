"""llama.cpp, or its fork ik_llama.cpp, on the rows of `fude bench generate`.

    python3 llama_cpp_generate.py BIN MODEL.gguf [--rounds R] [--threads N] [--filter ROW]

BIN: the folder of llama-bench and llama-batched-bench, built with -DGGML_NATIVE=ON. One line of JSON per row.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

PREFILL, SHALLOW, DEEP, NEW = 512, 16, 4096, 16


def lines_of(command, messages=subprocess.DEVNULL):
    with tempfile.TemporaryDirectory() as folder:  # ik_llama.cpp leaves a llama.log where it runs
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=messages, text=True, errors="replace", cwd=folder)
    if done.returncode != 0:
        print(f"{command[0]}: exit status {done.returncode}", file=sys.stderr)
    return done.stdout.splitlines()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--filter", action="append", default=[])
    parser.add_argument("--repack", action="store_true", help="ik_llama.cpp: weights interleaved as they are loaded, its fastest")
    options = parser.parse_args()
    options.bin, options.model = options.bin.resolve(), options.model.resolve()

    def wants(name):
        return not options.filter or any(text in name for text in options.filter)

    version = ""  # only llama-bench tells it

    def report(name, samples):
        if samples:
            print(json.dumps({"name": name, "value": statistics.median(samples), "unit": "tok/s", "low": min(samples),
                              "high": max(samples), "version": version}), flush=True)

    def bench(*more):
        command = [options.bin / "llama-bench", "-m", options.model, "-t", options.threads, "-r", options.rounds, "-o", "json",
                   *(["-rtr", 1] if options.repack else []), *more]
        rows = json.loads("\n".join(lines_of([str(word) for word in command])) or "[]")
        nonlocal version
        for row in rows:
            version = f"{row['build_number']} ({row['build_commit']})"
        return [sample for row in rows for sample in row["samples_ts"]]

    if wants(f"prefill {PREFILL}"):
        report(f"prefill {PREFILL}", bench("-p", PREFILL, "-n", 0))
    for batch in (1, 8, 16, 64):
        if not wants(f"decode {batch}"):
            continue
        if not version:
            bench("-p", 1, "-n", 0)
        samples = []
        for _ in range(options.rounds):
            command = [options.bin / "llama-batched-bench", "-m", options.model, "-t", options.threads, "-c", 64 * (SHALLOW + NEW),
                       "-npp", SHALLOW, "-ntg", NEW, "-npl", batch, *(["-rtr"] if options.repack else [])]
            # | PP | TG | B | N_KV | T_PP | S_PP | T_TG | S_TG | T | S |, which ik_llama.cpp writes among its messages
            for line in lines_of([str(word) for word in command], subprocess.STDOUT):
                cells = [cell.strip() for cell in line.split("|")]
                if len(cells) == 12 and cells[1].isdigit():
                    samples.append(float(cells[8]))
        report(f"decode {batch}", samples)
    if wants(f"depth {DEEP}"):
        report(f"depth {DEEP}", bench("-p", 0, "-n", NEW, "-d", DEEP))


if __name__ == "__main__":
    main()
