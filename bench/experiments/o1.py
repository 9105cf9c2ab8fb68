#!/usr/bin/env python3
"""The picture of o1 in miniature: bench/experiments/o1.py build/release/fude --out FOLDER [--size tiny|small|full]

One model, taught by worked solutions of mini-AIME and then by its own tries, asked held-out problems: accuracy over the steps of
reinforcement learning, over the budget for thinking, and over the answers that a vote or a learned scorer may choose from.
Every stage is a command of the program and goes on where it was stopped. Writes results.json and curves.svg.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys

SIZES = {
    # chats; vocabulary; model; sft; rl: steps, questions, answers; scorer: questions, answers; evals: questions, answers of the last, budgets
    "tiny": dict(chats=400, vocabulary=300, shape=(32, 2, 2, 16, 64), epochs=1, rate=3e-3, rl=(4, 4, 4), every=2, scorer=(16, 4), questions=12, answers=8,
                 budgets=(0, 16), longest=60),
    "small": dict(chats=60000, vocabulary=512, shape=(160, 4, 5, 32, 448), epochs=1, rate=2e-3, rl=(100, 16, 8), every=20, scorer=(4000, 16), questions=300, answers=64,
                  budgets=(0, 8, 16, 32, 64, 128), longest=200),
    "full": dict(chats=60000, vocabulary=512, shape=(160, 4, 5, 32, 448), epochs=1, rate=2e-3, rl=(300, 16, 16), every=30, scorer=(12000, 16), questions=1000, answers=64,
                 budgets=(0, 8, 16, 32, 64, 128), longest=200),
}


def curve(title, points, x_label, log=True):
    """Points (x, value, low, high) as an <svg> with a band of 95 %."""
    width, height, left, bottom = 460, 260, 46, 36
    position = (lambda x: math.log2(max(x, 0.5))) if log else (lambda x: x)
    xs = [position(p[0]) for p in points]
    span = (max(xs) - min(xs)) or 1
    top = min(1, max(0.2, math.ceil(5 * max(p[3] for p in points)) / 5))
    at = lambda x, y: (left + (position(x) - min(xs)) / span * (width - left - 20), height - bottom - max(0, y) / top * (height - bottom - 24))
    path = lambda values: " ".join(f"{'M' if i == 0 else 'L'}{a:.1f} {b:.1f}" for i, (a, b) in enumerate(values))
    band = path([at(x, high) for x, _, _, high in points] + [at(x, low) for x, _, low, _ in reversed(points)]) + "Z"
    line = path([at(x, y) for x, y, _, _ in points])
    marks = "".join(f'<circle cx="{at(x, y)[0]:.1f}" cy="{at(x, y)[1]:.1f}" r="3"/><text x="{at(x, y)[0]:.1f}" y="{height - bottom + 16}" text-anchor="middle">{x:g}</text>'
                    for x, y, _, _ in points)
    ticks = "".join(f'<text x="{left - 6}" y="{at(points[0][0], top * i / 4)[1] + 4:.1f}" text-anchor="end">{100 * top * i / 4:.0f}</text>'
                    f'<path class="grid" d="M{left} {at(points[0][0], top * i / 4)[1]:.1f}H{width - 20}"/>' for i in range(5))
    return (f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{title}">{ticks}<path class="band" d="{band}"/>'
            f'<path class="line" d="{line}"/>{marks}<text x="{(width + left) / 2}" y="{height - 4}" text-anchor="middle">{x_label}</text>'
            f'<text x="{left}" y="14">{title}</text></svg>')


STYLE = (":root{color-scheme:light dark;--ink:#1c1c1c;--soft:#5f5f5f;--paper:#fdfdfb;--line:#2b6cb0}@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;"
         "--soft:#a8a8a8;--paper:#161616;--line:#63b3ed}}text{fill:var(--soft);font:12px system-ui,sans-serif}.paper{fill:var(--paper)}"
         ".line{fill:none;stroke:var(--line);stroke-width:2}.band{fill:var(--line);opacity:.18}circle{fill:var(--line)}.grid{stroke:var(--soft);opacity:.25}")


def picture(curves):
    """Curves beside each other, two in a row, as one <svg>."""
    rows = (len(curves) + 1) // 2
    placed = "".join(c.replace("<svg ", f'<svg x="{460 * (i % 2)}" y="{270 * (i // 2)}" width="460" height="260" ', 1) for i, c in enumerate(curves))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 920 {270 * rows}"><style>{STYLE}</style><rect class="paper" width="100%" height="100%"/>'
            f"{placed}</svg>\n")


class Experiment:
    def __init__(self, program, folder, size, seed):
        self.program, self.folder, self.size, self.seed = program, pathlib.Path(folder), SIZES[size], seed
        self.folder.mkdir(parents=True, exist_ok=True)
        self.results = {"size": size, "seed": seed}

    def fude(self, *words, out=None):
        print("fude", *words, flush=True)
        stdout = subprocess.PIPE if out is None else open(out, "w")
        return subprocess.run([self.program, "--seed", str(self.seed), *map(str, words)], check=True, stdout=stdout, text=True).stdout

    def path(self, *names):
        return self.folder.joinpath(*names)

    def teach(self):
        s = self.size
        if not self.path("chats.jsonl").exists():
            self.fude("tasks", "mini_aime", "--difficulty", "2-4", "--count", s["chats"], "--chat", out=self.path("chats.partial"))
            self.path("chats.partial").rename(self.path("chats.jsonl"))
        if not self.path("tokenizer/tokenizer.json").exists():
            self.fude("tokenizer", self.path("chats.jsonl"), "--chats", "--vocabulary", s["vocabulary"], "--pattern", "qwen2", "--out", self.path("tokenizer"))
        width, layers, heads, head_size, feed_forward = s["shape"]
        if not self.path("newborn/config.json").exists():
            self.fude("init", "--tokenizer", self.path("tokenizer"), "--out", self.path("newborn"), "--width", width, "--layers", layers, "--heads", heads,
                      "--kv-heads", heads, "--head-size", head_size, "--feed-forward", feed_forward, "--context", 512)
        self.fude("sft", self.path("newborn"), "--data", self.path("chats.jsonl"), "--out", self.path("taught"), "--row-tokens", 256, "--rows", 10,
                  "--learning-rate", s["rate"], "--epochs", s["epochs"])

    def reinforce(self):
        steps, questions, answers = self.size["rl"]
        self.fude("rl", self.path("taught/model"), "--task", "mini_aime", "--difficulty", "2-5", "--out", self.path("tried"), "--steps", steps, "--questions", questions,
                  "--answers", answers, "--max-tokens", self.size["longest"], "--learning-rate", 1e-4, "--save-every", self.size["every"], "--validate-every", 0,
                  "--held-out", 0, "--keep", 0)
        self.fude("scorer", self.path("tried/model"), "--task", "mini_aime", "--difficulty", "2-5", "--out", self.path("judge"), "--questions", self.size["scorer"][0],
                  "--answers", self.size["scorer"][1], "--max-tokens", self.size["longest"], "--learning-rate", 1e-3, "--held-out", 0, "--epochs", 4)

    def ask(self, name, model, *more, answers=1):
        """Measures by name; kept, so that a second run asks nothing again."""
        path = self.path(f"eval-{name}.json")
        if not path.exists():
            text = self.fude("--json", "eval", model, "--task", "mini_aime", "--difficulty", "2-5", "--questions", self.size["questions"], "--answers", answers,
                             "--max-tokens", self.size["longest"], *more)
            path.write_text(text)
        return {line["measure"]: line for line in map(json.loads, path.read_text().splitlines())}

    def measure(self):
        point = lambda x, m: [x, m["value"], m["low"], m["high"]]
        every, steps = self.size["every"], self.size["rl"][0]
        trained = [point(0, self.ask("step-0", self.path("taught/model"), answers=4)["right"])]
        for step in range(every, steps + 1, every):
            trained.append(point(step, self.ask(f"step-{step}", self.path("tried", f"checkpoint-{step:08}"), answers=4)["right"]))
        model = self.path("tried/model")
        thought = [point(b, self.ask(f"budget-{b}", model, "--most-thought", b, answers=4)["right"]) for b in self.size["budgets"]]
        last = self.ask("last", model, "--scorer", self.path("judge/scorer"), answers=self.size["answers"])
        chosen = {kind: [point(int(name.rsplit(" ", 1)[1]), m) for name, m in last.items() if name.startswith(kind + " of ") and "less" not in name]
                  for kind in ("vote", "weighted vote", "best")}
        once = point(1, last["right"])
        self.results.update({"training": trained, "thinking": thought, "chosen": {k: [once] + v for k, v in chosen.items()}, "last": last})
        self.path("results.json").write_text(json.dumps(self.results, indent=1) + "\n")

    def draw(self):
        r = self.results
        curves = [curve("over steps of reinforcement learning", r["training"], "steps", log=False), curve("over the budget for thinking", r["thinking"], "tokens")]
        curves += [curve(f"by {kind}", points, "answers to choose from") for kind, points in r["chosen"].items()]
        self.path("curves.svg").write_text(picture(curves))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--out", required=True)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    experiment = Experiment(arguments.program, arguments.out, arguments.size, arguments.seed)
    experiment.teach(), experiment.reinforce(), experiment.measure(), experiment.draw()
    for name, m in experiment.results["last"].items():
        print(f"{name:34} {100 * m['value']:5.1f} %  ({100 * m['low']:.1f} to {100 * m['high']:.1f})")


if __name__ == "__main__":
    sys.exit(main())
