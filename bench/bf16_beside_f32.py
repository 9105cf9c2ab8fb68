"""Does training in bf16 lose anything? The same small model from several seeds, in f32 and in bf16.

    python3 bench/bf16_beside_f32.py --shards FOLDER --tokenizer FOLDER --work WORK [--seeds 3] [--bf16-seeds N]
                                     [--out bench/results/bf16_loss.md]

What is compared is the mean loss of the last hundred steps. The same seed is the same initial weights and the same
batches in both types, so pairs leave out what the seed changes, and their mean difference is the sharper test; beside
it stands that of all seeds' means. A run that is done is not run again.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import sys

from beside_torch import SHAPE, mean
from report import ROOT, commit, machine, own_command

# Student's t, two-sided 95 %, of 1 to 10 degrees of freedom; more are taken for 10.
T95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fude", default=str(ROOT / "build/release/fude"))
    parser.add_argument("--shards", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, default=3, help="runs in f32, from seed 0 on; at least 2")
    parser.add_argument("--bf16-seeds", type=int, help="runs in bf16, from seed 0 on; without it as many as in f32")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    if options.bf16_seeds is None:
        options.bf16_seeds = options.seeds
    if options.seeds < 2 or options.bf16_seeds < 1:
        parser.error("expected --seeds of at least 2 and --bf16-seeds of at least 1")
    return options


def train(options, compute, seed):
    """Mean loss of the last hundred steps."""
    out = options.work / f"{compute}-{seed}"
    if not (out / "model/model.safetensors").exists():
        command = [options.fude, "--threads", options.threads, "--seed", seed, "train", *SHAPE,
                   "--data", options.shards, "--tokenizer", options.tokenizer, "--out", out, "--steps", options.steps,
                   "--warmup", 50, "--rows", options.rows, "--row-tokens", 256, "--context", 256,
                   "--learning-rate", "3e-4", "--compute", compute, "--save-every", 100]
        subprocess.run([str(word) for word in command], check=True)
    return mean([json.loads(line)["loss"] for line in open(out / "metrics.jsonl")][-100:])


def squares(values):
    return sum((value - mean(values)) ** 2 for value in values)


def difference_of_means(f32, bf16):
    """The difference, half of its 95 % interval, and the standard deviation of a run (the same in both types)."""
    freedom = len(f32) + len(bf16) - 2
    deviation = math.sqrt((squares(f32) + squares(bf16)) / freedom)
    error = deviation * math.sqrt(1 / len(f32) + 1 / len(bf16))
    return mean(bf16) - mean(f32), T95[min(freedom, len(T95)) - 1] * error, deviation


def difference_of_pairs(f32, bf16):
    """The same of runs of the same seed; of one pair there is no interval."""
    pairs = [b - a for a, b in zip(f32, bf16)]
    if len(pairs) < 2:
        return pairs[0], math.inf, math.nan
    deviation = statistics.stdev(pairs)
    return mean(pairs), T95[min(len(pairs) - 1, len(T95)) - 1] * deviation / math.sqrt(len(pairs)), deviation


def verdict(difference, reach):
    low, high = difference - reach, difference + reach
    if low > 0:
        return f"By pairs bf16 loses {low:.4f} to {high:.4f} nats a token."
    if high < 0:
        return f"By pairs bf16 gains {-high:.4f} to {-low:.4f} nats a token."
    if math.isinf(reach):
        return "One pair tells nothing of chance."
    return f"By pairs bf16 is not told apart from f32; a loss of more than {high:.4f} nats a token is ruled out (95 %)."


def report(options, f32, bf16):
    of_means, of_pairs = difference_of_means(f32, bf16), difference_of_pairs(f32, bf16)
    cell = lambda values, seed: f"{values[seed]:.4f}" if seed < len(values) else ""
    yield f"""# bf16 beside f32: the loss of a model of about 10M parameters

Machine: {machine()}.
Commit {commit()}; {options.threads} threads; {options.steps} steps of {options.rows} rows of 256 tokens at 3e-4.

```
{own_command()}
```

Mean loss of the last 100 steps, nats a token:

| seed | f32 | bf16 | bf16 − f32 |
|---|---:|---:|---:|"""
    for seed in range(max(len(f32), len(bf16))):
        paired = f"{bf16[seed] - f32[seed]:+.4f}" if seed < min(len(f32), len(bf16)) else ""
        yield f"| {seed} | {cell(f32, seed)} | {cell(bf16, seed)} | {paired} |"
    yield """
bf16 − f32, with 95 % intervals by Student's t:

| | difference | interval | standard deviation |
|---|---:|---:|---:|"""
    rows = ((f"means of {len(f32)} and {len(bf16)} seeds", "of a run", of_means),
            (f"{min(len(f32), len(bf16))} pairs of the same seed", "of a pair", of_pairs))
    for name, what, (difference, reach, deviation) in rows:
        ends = f"{difference - reach:+.4f} to {difference + reach:+.4f}" if math.isfinite(reach) else ""
        varies = f"{what} {deviation:.4f}" if math.isfinite(deviation) else ""
        yield f"| {name} | {difference:+.4f} | {ends} | {varies} |"
    yield f"\n{verdict(*of_pairs[:2])}\n"


def main():
    options = parse_arguments()
    losses = {"f32": [], "bf16": []}
    # Pairs first: they are there when the rest is stopped.
    for seed in range(max(options.seeds, options.bf16_seeds)):
        for compute, seeds in (("f32", options.seeds), ("bf16", options.bf16_seeds)):
            if seed < seeds:
                losses[compute].append(train(options, compute, seed))
    text = "\n".join(report(options, losses["f32"], losses["bf16"]))
    print(text, file=sys.stderr)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text)


if __name__ == "__main__":
    main()
