"""Seconds from exec to the start of the first training step, on prepared shards.

    python3 bench/startup.py [--fude PATH] [--runs 7] [-- arguments of `fude train`]

Makes a text, a tokenizer and shards once (in a temporary folder), then starts `fude train` again and again. The first line
of its --json output comes after the first step and says how long that took: the rest of the time is the start.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import tempfile
import time

from report import ROOT, measured


def prepare(fude, folder):
    words = random.Random(0).choices([f"word{i}" for i in range(3000)], k=400_000)
    documents = [" ".join(words[i : i + 200]) for i in range(0, len(words), 200)]
    (folder / "text.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in documents))
    for command in (["tokenizer", "text.jsonl", "--out", "tokenizer", "--vocabulary", "8192"],
                    ["shards", "text.jsonl", "--tokenizer", "tokenizer", "--out", "shards"]):
        subprocess.run([fude, *command], cwd=folder, check=True, stderr=subprocess.DEVNULL)


def seconds_to_first_step(fude, folder, number, arguments):
    began = time.monotonic()
    train = subprocess.Popen(
        [fude, "--json", "train", "--data", "shards", "--tokenizer", "tokenizer", "--out", f"run{number}",
         "--rows", "1", *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    step = json.loads(train.stdout.readline())
    ended = time.monotonic()
    train.kill()
    train.wait()
    return ended - began - step["seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fude", default=str(ROOT / "build/release/fude"))
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("train", nargs="*", help="arguments of `fude train`, behind --")
    options = parser.parse_args()
    fude = os.path.abspath(options.fude)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        prepare(fude, folder)
        seconds = [seconds_to_first_step(fude, folder, i, options.train) for i in range(options.runs + 1)][1:]
    print(json.dumps(measured("start of training", seconds, "s")))


if __name__ == "__main__":
    main()
