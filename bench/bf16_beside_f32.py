"""Does training in bf16 lose anything? The same small model, three seeds in f32 and one of them in bf16.

    python3 bench/bf16_beside_f32.py --shards FOLDER --tokenizer FOLDER --work WORK [--out bench/results/bf16_loss.md]

The mean loss of the last hundred steps in bf16 should lie within what the seed alone changes in f32. A run that is done
is not run again.
"""

import argparse
import json
import pathlib
import subprocess
import sys

from beside_torch import SHAPE, machine, mean

ROOT = pathlib.Path(__file__).resolve().parent.parent
RUNS = [("f32", 0), ("f32", 1), ("f32", 2), ("bf16", 0)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fude", default=str(ROOT / "build/release/fude"))
    parser.add_argument("--shards", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()

    losses = {}
    for compute, seed in RUNS:
        out = options.work / f"{compute}-{seed}"
        if not (out / "model/model.safetensors").exists():
            command = [options.fude, "--threads", options.threads, "--seed", seed, "train", *SHAPE, "--data", options.shards, "--tokenizer",
                       options.tokenizer, "--out", out, "--steps", options.steps, "--warmup", 50, "--rows", options.rows, "--row-tokens", 256,
                       "--context", 256, "--learning-rate", "3e-4", "--compute", compute, "--save-every", 100]
            subprocess.run([str(word) for word in command], check=True)
        losses[compute, seed] = mean([json.loads(line)["loss"] for line in open(out / "metrics.jsonl")][-100:])

    f32 = [loss for (compute, _), loss in losses.items() if compute == "f32"]
    bf16 = losses["bf16", 0]
    verdict = "within" if min(f32) <= bf16 <= max(f32) else "outside"
    text = f"""# bf16 beside f32: the loss of a model of about 10M parameters

{machine()}; `python3 bench/bf16_beside_f32.py`, {options.steps} steps of {options.rows} rows of 256 tokens. Mean loss of the last 100 steps, nats a token:

| compute | seed | loss |
|---|---:|---:|
"""
    for (compute, seed), loss in losses.items():
        text += f"| {compute} | {seed} | {loss:.4f} |\n"
    text += f"""
bf16 is {verdict} the spread of the three f32 seeds ({min(f32):.4f} to {max(f32):.4f}); against f32 of the same seed, which saw the same
batches, it differs by {bf16 - losses['f32', 0]:+.4f}.
"""
    print(text, file=sys.stderr)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text)


if __name__ == "__main__":
    main()
