"""kill -9 at random moments: every stage, started again, ends in the bytes of an undisturbed run.

`Stage.ordeal` does it once. kill_test.py runs a short ordeal of each stage; as a program this file goes on for as long as
it is told:  tests/cli/kill.py build/release/fude --minutes 30 [--seed 1]
"""

import argparse
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

THREADS = (1, 2, 3)


def without_times(state):
    """A state.fude as (header, data): without how long the last step took, which is in the checksum too."""
    length = int.from_bytes(state[16:24], "little")
    header = json.loads(state[24:24 + length])
    header["user"]["line"] = re.sub(r'"(sampling_)?seconds":[^,}]*', "", header["user"]["line"])
    return header, state[(24 + length + 63) // 64 * 64:-16]


def contents(folder):
    """Every file by name; of metrics and states without the times, of a report only that it is there."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        data = path.read_bytes()
        if path.name == "metrics.jsonl":
            data = [{k: v for k, v in json.loads(line).items() if "seconds" not in k} for line in data.splitlines()]
        if path.name == "state.fude":
            data = without_times(data)
        found[str(path.relative_to(folder))] = None if path.name == "report.html" else data
    return found


class Stage:
    """A command that fills a folder; `make(out, threads)` gives its arguments."""

    def __init__(self, name, make):
        self.name, self.make = name, make
        self.seconds, self.expected = None, None

    def start(self, out, threads):
        from harness import PROGRAM
        return subprocess.Popen([PROGRAM, *map(str, self.make(out, threads))], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def straight(self, folder):
        began = time.monotonic()
        child = self.start(folder / "straight", 1)
        err = child.communicate()[1].decode(errors="replace")
        assert child.returncode == 0, f"{self.name}: {err}"
        self.seconds, self.expected = time.monotonic() - began, contents(folder / "straight")

    def ordeal(self, draw, kills):
        """Kills the stage some times, each after a random while, then lets it end. Returns what differs, or nothing."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="fude-kill-"))
        try:
            if self.expected is None:
                self.straight(folder)
            out, done = folder / "out", False
            for _ in range(kills):
                child = self.start(out, draw.choice(THREADS))
                time.sleep(draw.uniform(0, self.seconds * 1.1))
                child.send_signal(signal.SIGKILL)
                err = child.communicate()[1].decode(errors="replace")
                if child.returncode not in (0, -signal.SIGKILL):
                    return f"{self.name}: exit code {child.returncode} after a kill: {err}"
            child = self.start(out, draw.choice(THREADS))
            err = child.communicate()[1].decode(errors="replace")
            if child.returncode != 0:
                return f"{self.name}: exit code {child.returncode} at the end: {err}"
            now = contents(out)
            for name in sorted(self.expected.keys() | now.keys()):
                if self.expected.get(name, "absent") != now.get(name, "absent"):
                    return f"{self.name}: {name} is {'another' if name in now and name in self.expected else 'absent or left over'}"
            return ""
        finally:
            shutil.rmtree(folder)


def stages():
    from harness import world
    from posttrain_test import CHATS, EVEN
    w = world()
    chats = w.folder / "chats.jsonl"
    chats.write_text(CHATS)
    sft = ["sft", w.model, "--data", chats, "--row-tokens", 64, "--rows", 2, "--steps", 20, "--save-every", 3]
    rl = ["rl", w.model, "--task", EVEN, "--questions", 3, "--answers", 4, "--max-tokens", 10, "--steps", 14, "--save-every", 3, "--held-out", 3,
          "--validate-every", 5, "--learning-rate", 1e-3]
    shards = ["--shard-tokens", 4000]
    return [
        Stage("tokenizer", lambda out, threads: ["tokenizer", w.text, "--out", out, "--vocabulary", 600, "--threads", threads]),
        Stage("shards", lambda out, threads: ["shards", w.text, "--tokenizer", w.tokenizer, "--out", out, *shards, "--threads", threads]),
        Stage("train", lambda out, threads: w.training(out, steps=40, save_every=3, validation=w.shards, validate_every=10, validation_rows=4, sample="Alice",
                                                       blocks=2, threads=threads)),
        Stage("train with Muon", lambda out, threads: [*w.training(out, steps=25, save_every=1, seed=3, threads=threads), "--muon", "--concat"]),
        Stage("sft", lambda out, threads: [*sft, "--out", out, "--threads", threads]),
        Stage("sft of an adapter", lambda out, threads: [*sft, "--lora", 4, "--out", out, "--threads", threads]),
        Stage("rl", lambda out, threads: [*rl, "--minibatches", 2, "--epochs", 2, "--kl", 0.1, "--out", out, "--threads", threads]),
        Stage("rl of an adapter", lambda out, threads: [*rl, "--lora", 4, "--out", out, "--threads", threads]),
        Stage("scorer", lambda out, threads: ["scorer", w.model, "--task", EVEN, "--out", out, "--questions", 100, "--answers", 4, "--max-tokens", 10, "--held-out", 2,
                                              "--step-tokens", 512, "--save-every", 3, "--threads", threads]),
    ]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    os.environ["FUDE_PROGRAM"] = os.path.abspath(arguments.program)
    draw, until, count, bad = random.Random(arguments.seed), time.monotonic() + 60 * arguments.minutes, 0, 0
    every = stages()
    while time.monotonic() < until:
        stage = draw.choice(every)
        kills = draw.randrange(1, 8)
        difference = stage.ordeal(draw, kills)
        count += 1
        if difference:
            bad += 1
            print(difference, flush=True)
    print(f"{count} ordeals, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
