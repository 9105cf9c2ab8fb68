"""Seconds from exec to the first byte of an answer, and the peak memory of the answer beside its floor.

    python3 bench/first_token.py MODEL… [--runs 5] [--fude PATH] [--threads N] [--json]

MODEL is what `fude generate` takes; its file is read beforehand, so that it lies in the page cache. A run is one `fude
generate`, greedy, with a prompt of 16 tokens and an answer of 32, whose tokens are printed one by one (--logprobs):
those of a model with random weights are seldom whole characters, and text would wait for that. The floor, which is not
to be exceeded: the file and 3 % of it, keys and values in f32, 200 MB. Prints medians with the lowest and the highest
run; --json: a row for each measurement.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

from report import ROOT, commit, machine, measured, number, own_command, spread

PROMPT, ANSWER = 16, 32  # tokens
WORDS = "the name of the man who came to the old town at the end of the year was not one that".split()


def fude(options, *words, **more):
    """What a command says: its lines of JSON."""
    done = subprocess.run([options.fude, "--json", "--threads", str(options.threads), *words], stdout=subprocess.PIPE,
                          text=True, check=True, **more)
    return [json.loads(line) for line in done.stdout.splitlines()]


def prompt_of(options, model):
    """A text of so many of the model's tokens."""
    words = [" ".join(WORDS[:count]) for count in range(2, PROMPT + 1)]
    text = " ".join(WORDS)
    characters = [text[:count] for count in range(PROMPT // 2, len(text))]  # small vocabularies cut words
    for candidates in (words, characters):
        lines = "".join(json.dumps({"text": candidate}) + "\n" for candidate in candidates)
        for candidate, scored in zip(candidates, fude(options, "score", model, "--lines", input=lines), strict=True):
            if scored["tokens"] == PROMPT - 1:  # the first one is not scored
                return candidate
    sys.exit(f"first_token.py: {model}: no text of {PROMPT} tokens")


def weight_files(options, model):
    path = pathlib.Path(model)
    if not path.exists():
        known = {entry["name"]: entry.get("path") for entry in fude(options, "pull")}
        if not known.get(model):
            sys.exit(f"first_token.py: {model}: expected a file, a folder, or a name of `fude pull`")
        path = pathlib.Path(known[model])
    return sorted(path.glob("*.safetensors")) if path.is_dir() else [path]


def read(path):
    # In pieces: on Linux the peak memory of a child begins with what its parent held when it was started.
    with open(path, "rb") as file:
        while file.read(1 << 20):
            pass


def answer(options, model, prompt):
    """Seconds to the first byte, peak memory in bytes, and the tokens of the answer."""
    command = [options.fude, "--threads", str(options.threads), "generate", model, "--prompt", prompt,
               "--max-tokens", str(ANSWER), "--temperature", "0", "--logprobs"]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
    first = process.stdout.read(1)
    seconds = time.monotonic() - began
    said = first + process.stdout.read()
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return seconds, usage.ru_maxrss * 1024, json.loads(said.splitlines()[-1])["tokens"]


def measure(options, model):
    """Two rows: the time, and the memory with its floor in `limit`."""
    prompt = prompt_of(options, model)
    files = weight_files(options, model)
    for path in files:
        read(path)
    runs = [answer(options, model, prompt) for _ in range(options.runs)]
    seconds, memory, tokens = zip(*runs)
    if max(tokens) < ANSWER:
        print(f"first_token.py: {model}: the answer ended after {max(tokens)} tokens", file=sys.stderr)
    shape = fude(options, "info", model)[0]
    keys_and_values = 2 * 4 * shape["layers"] * shape["key_value_heads"] * shape["head_size"] * (PROMPT + max(tokens))
    size = sum(path.stat().st_size for path in files)
    of_model = {"model": pathlib.Path(model).name}
    time_row = of_model | measured("first byte", seconds, "s")
    memory_row = of_model | measured("peak memory", [held / 1e6 for held in memory], "MB", digits=1)
    memory_row |= {"file": round(size / 1e6, 1), "limit": round((1.03 * size + keys_and_values) / 1e6 + 200, 1)}
    return time_row, memory_row | {"fraction": round(memory_row["value"] / memory_row["limit"], 4)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--fude", default=str(ROOT / "build/release/fude"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as the process may use")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    if not options.json:
        print(f"Machine: {machine()}.\nCommit {commit()}: `{own_command()}`\n")
        print("| model | first byte, s | peak memory, MB | file, MB | floor, MB |\n|---|---|---|---|---|")
    for model in options.models:
        rows = measure(options, model)
        if options.json:
            print("\n".join(json.dumps(row) for row in rows), flush=True)
            continue
        start, memory = rows
        cells = [spread(start["value"], start["low"], start["high"], "{:.3f}".format),
                 spread(memory["value"], memory["low"], memory["high"]), number(memory["file"]),
                 number(memory["limit"])]
        print("| " + " | ".join([memory["model"], *cells]) + " |", flush=True)


if __name__ == "__main__":
    main()
