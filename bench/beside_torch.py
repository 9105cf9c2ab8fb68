"""A training run of Fude and the same run in PyTorch: one curve beside the other.

    python3 bench/beside_torch.py --python VENV/bin/python --text TEXT_FOLDER --validation FOLDER --work WORK
                                  [--out bench/results/train_10m.md]

Text files of TEXT_FOLDER become one tokenizer and one set of shards; each file of the validation folder is a validation
set of its own name. `fude train --export` writes weights, batches and rates down; then Fude trains, then
peers/torch_replica.py on the same batches; then both run a few steps in turns for the time, which only counts when
nothing else runs. Stages that are done are not run again, so the command goes on where it was stopped.
"""

import argparse
import json
import pathlib
import subprocess
import sys

from report import ROOT, commit, machine, own_command

SHAPE = ["--width", 256, "--layers", 10, "--heads", 4, "--kv-heads", 2, "--head-size", 64, "--feed-forward", 768]
PROMPTS = ["The history of the city", "その日、私は", "def add(a, b):", "§ 1 Das Gesetz", "대한민국은", "中國"]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fude", default=str(ROOT / "build/release/fude"))
    parser.add_argument("--python", default=sys.executable, help="a Python with torch and transformers")
    parser.add_argument("--text", type=pathlib.Path, required=True)
    parser.add_argument("--validation", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=240)
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("--learning-rate", default="3e-4")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--timed-steps", type=int, default=8, help="of each turn, for the time; 0: none")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--wrap", default="", help="put before each timed command")
    parser.add_argument("--out", type=pathlib.Path)
    return parser.parse_args()


class Comparison:
    def __init__(self, options):
        self.o, self.work = options, options.work
        self.work.mkdir(parents=True, exist_ok=True)
        self.sets = {file.name.split(".")[0]: self.work / "validation" / file.name.split(".")[0]
                     for file in sorted(options.validation.glob("*.jsonl*"))}

    def run(self, *command, **more):
        command = [str(word) for word in command]
        print("$", " ".join(command), file=sys.stderr, flush=True)
        return subprocess.run(command, check=True, **more)

    def fude(self, *words, **more):
        return self.run(self.o.fude, "--threads", self.o.threads, *words, **more)

    def prepare(self):
        tokenizer = self.work / "tokenizer"
        if not (tokenizer / "tokenizer.json").exists():
            self.fude("tokenizer", self.o.text, "--out", tokenizer, "--vocabulary", 8192)
        self.fude("shards", self.o.text, "--tokenizer", tokenizer, "--out", self.work / "shards")
        for name, folder in self.sets.items():
            self.fude("shards", *self.o.validation.glob(name + ".jsonl*"), "--tokenizer", tokenizer, "--out", folder)

    def training(self, out, steps, *more):
        return ["train", *SHAPE, "--data", self.work / "shards", "--tokenizer", self.work / "tokenizer", "--out", out,
                "--steps", steps, "--warmup", min(steps // 2, 60), "--rows", self.o.rows, "--row-tokens", 256, "--context", 256,
                "--learning-rate", self.o.learning_rate, "--final-fraction", 0.05, *more]

    def validated(self):
        return ["--validation", *[f"{name}={folder}" for name, folder in self.sets.items()], "--validation-rows", 48,
                "--validate-every", max(1, self.o.steps // 4), "--save-every", max(1, self.o.steps // 10), "--sample", *PROMPTS]

    def train(self):
        export, run = self.work / "export", self.work / "run"
        whole = self.training(run, self.o.steps, *self.validated())
        if not (export / "replica.json").exists():
            self.fude(*whole, "--export", export)
        if not (run / "model/model.safetensors").exists():
            self.fude(*whole)
        if not (self.work / "torch.json").exists():
            done = self.replica(export, self.work / "torch.jsonl", "--validate-every", max(1, self.o.steps // 4))
            (self.work / "torch.json").write_bytes(done.stdout)

    def replica(self, export, log, *more, wrap=()):
        return self.run(*wrap, self.o.python, ROOT / "bench/peers/torch_replica.py", "--model", export / "model", "--config",
                        export / "replica.json", "--order", export / "order.bin", "--log", log, "--threads", self.o.threads,
                        "--micro", 0, *more, stdout=subprocess.PIPE)

    def time(self):
        """Seconds a step in turns, the first steps of each turn left out."""
        if not self.o.timed_steps or (self.work / "times.json").exists():
            return
        wrap, steps = self.o.wrap.split(), self.o.timed_steps
        export = self.work / "timed/export"
        self.fude(*self.training(self.work / "timed/none", steps), "--export", export)
        times = {"fude": [], "torch": []}
        for turn in range(self.o.turns):
            out = self.work / f"timed/run{turn}"
            self.run(*wrap, self.o.fude, "--threads", self.o.threads, *self.training(out, steps))
            times["fude"] += [json.loads(line)["seconds"] for line in open(out / "metrics.jsonl")][3:]
            log = self.work / f"timed/torch{turn}.jsonl"
            self.replica(export, log, wrap=wrap)
            times["torch"] += [entry["seconds"] for entry in map(json.loads, open(log)) if "loss" in entry][3:]
        (self.work / "times.json").write_text(json.dumps(times))

    def page(self):
        ours = [json.loads(line) for line in open(self.work / "run/metrics.jsonl")]
        theirs = [json.loads(line) for line in open(self.work / "torch.jsonl")]
        torch = json.loads((self.work / "torch.json").read_text())
        losses = [entry["loss"] for entry in theirs if "loss" in entry]
        difference = [abs(a["loss"] - b) for a, b in zip(ours, losses)]
        validations = {entry["step"]: entry["validation"] for entry in theirs if "validation" in entry}
        text = f"""# A run of about 10M parameters beside PyTorch

Machine: {machine()}.
Peers: {f"PyTorch {torch.get('version', '')}".strip()}.
Commit {commit()}; {self.o.threads} threads; {self.o.steps} steps of {self.o.rows} rows of 256 tokens,
{ours[-1]['tokens']:,} tokens in all. Weights, batches and rates are those that `fude train --export` wrote; PyTorch trains with `torch_replica.py`.

```
{own_command()}
```

![loss of both]({self.o.out.with_suffix('.svg').name})

## Validation, bits per byte

| set | {' | '.join(f'step {step}: Fude | PyTorch | difference' for step in [e['step'] for e in ours if 'validation' in e])} |
|---|{'---:|---:|---:|' * len([e for e in ours if 'validation' in e])}
"""
        for name in self.sets:
            text += f"| {name} |"
            for entry in ours:
                if "validation" not in entry:
                    continue
                a = entry["validation"][name]["bits_per_byte"]
                b = validations[entry["step"]][name]["bits_per_byte"]
                text += f" {a:.4f} | {b:.4f} | {a - b:+.4f} |"
            text += "\n"
        text += f"""
Training loss, nats a token: largest difference of a step {max(difference):.4f}, mean {sum(difference) / len(difference):.5f}; over the last
hundred steps Fude {mean([e['loss'] for e in ours[-100:]]):.4f}, PyTorch {mean(losses[-100:]):.4f}.

## Time

"""
        if (self.work / "times.json").exists():
            times = {who: sorted(values) for who, values in json.loads((self.work / "times.json").read_text()).items()}
            text += "In turns, nothing else running; seconds a step (median, lowest, highest):\n\n| | seconds | tokens a second |\n|---|---:|---:|\n"
            tokens = self.o.rows * 256
            for who, values in times.items():
                median = values[len(values) // 2]
                text += f"| {who} | {median:.3f} ({values[0]:.3f} to {values[-1]:.3f}) | {tokens / median:,.0f} |\n"
            ratio = times["torch"][len(times["torch"]) // 2] / times["fude"][len(times["fude"]) // 2]
            text += f"\nFude is {ratio:.2f} times as fast.\n"
        text += f"""
The runs themselves took {sum(e['seconds'] for e in ours) / 60:.1f} minutes (Fude) and {torch['seconds'] / 60:.1f} (PyTorch), other work running
beside them; PyTorch's largest memory was {torch['peak_memory_bytes'] / 2**20:.0f} MiB.

## Samples of the trained model, behind their prompts

"""
        for prompt in PROMPTS:
            done = self.fude("generate", self.work / "run/model", "--max-tokens", 60, "--temperature", "0.7", "--seed", 1, "--prompt", prompt,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            sample = done.stdout.decode(errors="replace").strip().replace("\n", "\n    ")
            text += f"    [{prompt}] {sample}\n\n"
        self.o.out.parent.mkdir(parents=True, exist_ok=True)
        self.o.out.write_text(text)
        self.o.out.with_suffix(".svg").write_text(picture(ours, losses))


def mean(values):
    return sum(values) / len(values)


def picture(ours, losses):
    """Both training losses, and their difference a hundred times enlarged below."""
    width, height, left, bottom = 720, 400, 46, 30
    low, high = min(losses) - 0.2, max(losses) + 0.2
    x = lambda i: left + i / max(1, len(losses) - 1) * (width - left - 10)
    y = lambda v: 10 + (high - v) / (high - low) * (height - bottom - 20)
    line = lambda values: " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(values))
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/>']
    for tick in range(int(low) + 1, int(high) + 1):
        out.append(f'<line x1="{left}" x2="{width - 10}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#ddd"/>'
                   f'<text x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick}</text>')
    out += [f'<polyline fill="none" stroke="#c05621" stroke-width="3" opacity="0.5" points="{line(losses)}"/>',
            f'<polyline fill="none" stroke="#2b6cb0" stroke-width="1" points="{line([e["loss"] for e in ours])}"/>',
            f'<text x="{width - 200}" y="30" fill="#2b6cb0">Fude</text><text x="{width - 140}" y="30" fill="#c05621">PyTorch (wide line)</text>',
            f'<text x="{left + 6}" y="22">nats per token</text><text x="{width / 2}" y="{height - 8}">{len(losses)} steps</text></svg>']
    return "\n".join(out) + "\n"


def main():
    options = parse_arguments()
    comparison = Comparison(options)
    comparison.prepare()
    comparison.train()
    comparison.time()
    if options.out:
        comparison.page()


if __name__ == "__main__":
    main()
