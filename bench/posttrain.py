"""A step of fine-tuning and one of reinforcement learning in Fude and in TRL, in turns, on the same data.

    python3 bench/posttrain.py MODEL --python VENV/bin/python --work WORK

MODEL is a Hugging Face folder that both open, in f32; VENV has trl (peers/trl_step.py, which says what TRL is spared).
SFT: rows of one length, one conversation in each, of which the answer is learned. GRPO: questions with an answer of
about --max-tokens each, some of them paid (peers/story_task.py), one update a rollout, no reference model.

A turn is a run of Fude and one of TRL; the first step of a run is not counted. What is compared is tokens a second,
since an answer may end early: with SFT those of the rows, with GRPO those of the answers, in the seconds of a whole step, of
sampling, or of what is not sampling. Prints medians with the lowest and the highest step, and the ratio of medians.
"""

import argparse
import json
import pathlib
import shlex
import shutil
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "bench/peers"
WORDS = "the old grey house on a hill over a small town where no one came by in a very long time and then".split()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--fude", default=str(ROOT / "build/release/fude"))
    parser.add_argument("--python", default=sys.executable, help="a Python with torch and trl")
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--what", nargs="+", choices=("sft", "grpo"), default=["sft", "grpo"])
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2, help="counted, of a run")
    parser.add_argument("--rows", type=int, default=4, help="sft")
    parser.add_argument("--row-words", type=int, default=200, help="sft: of an answer")
    parser.add_argument("--questions", type=int, default=4, help="grpo")
    parser.add_argument("--answers", type=int, default=4, help="grpo: to each question")
    parser.add_argument("--max-tokens", type=int, default=48, help="grpo: of an answer")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--wrap", default="", help="put before each command")
    return parser.parse_args()


class Comparison:
    def __init__(self, options):
        self.o = options
        options.work.mkdir(parents=True, exist_ok=True)
        self.chats = options.work / "chats.jsonl"
        answers = [" ".join(WORDS[(i * j + i) % len(WORDS)] for j in range(options.row_words)) for i in range(64)]
        with open(self.chats, "w") as file:
            for answer in answers:
                print(json.dumps({"messages": [{"role": "user", "content": "Write a very long story."},
                                               {"role": "assistant", "content": answer}]}), file=file)

    def run(self, *command):
        command = shlex.split(self.o.wrap) + [str(word) for word in command]
        print("$", shlex.join(command), file=sys.stderr, flush=True)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def fude(self, what):
        out = self.o.work / what
        shutil.rmtree(out, ignore_errors=True)
        common = ["--out", out, "--steps", self.o.steps + 1, "--learning-rate", "1e-6", "--save-every", 0]
        if what == "sft":
            more = ["--data", self.chats, "--rows", self.o.rows, "--row-tokens", self.row_tokens()]
        else:
            more = ["--task", f"program:python3 {PEERS / 'story_task.py'}", "--questions", self.o.questions,
                    "--answers", self.o.answers, "--max-tokens", self.o.max_tokens, "--keep-equal", "--held-out", 0]
        self.run(self.o.fude, "--threads", self.o.threads, {"sft": "sft", "grpo": "rl"}[what], self.o.model, *common, *more)
        with open(out / "metrics.jsonl") as file:
            lines = [json.loads(line) for line in file]
        steps, before = [], 0
        for line in lines:
            values = line.get("values", {})
            answers = self.o.questions * self.o.answers
            steps.append({"seconds": line["seconds"], "sampling_seconds": line.get("sampling_seconds", 0),
                          "tokens": line["tokens"] - before,
                          "sampled_tokens": round(values.get("tokens of an answer", 0) * answers)})
            before = line["tokens"]
        shutil.rmtree(out)
        return steps[1:]

    def row_tokens(self):
        """One conversation fills a row: all are of one length."""
        said = self.run(self.o.python, "-c", "import sys, json, transformers\n"
                        "t = transformers.AutoTokenizer.from_pretrained(sys.argv[1])\n"
                        "print(max(len(t.apply_chat_template(json.loads(l)['messages'])['input_ids']) for l in open(sys.argv[2])))",
                        self.o.model, self.chats)
        return int(said)

    def trl(self, what):
        more = (["--data", self.chats, "--rows", self.o.rows] if what == "sft" else
                ["--questions", self.o.questions, "--answers", self.o.answers, "--max-tokens", self.o.max_tokens])
        said = self.run(self.o.python, PEERS / "trl_step.py", what, self.o.model, *more, "--steps", self.o.steps,
                        "--threads", self.o.threads)
        return json.loads(said.splitlines()[-1])["steps"]


def rates(steps):
    """Tokens a second, by what they are of."""
    if not any(s["sampling_seconds"] for s in steps):
        return {"step": [s["tokens"] / s["seconds"] for s in steps]}
    sampling = [s["sampling_seconds"] for s in steps]
    rate = lambda seconds: [s["sampled_tokens"] / t for s, t in zip(steps, seconds)]
    return {"step": rate([s["seconds"] for s in steps]), "sampling": rate(sampling),
            "update": rate([s["seconds"] - t for s, t in zip(steps, sampling)])}


def shown(values):
    return f"{statistics.median(values):.4g} ({min(values):.4g}–{max(values):.4g})"


def main():
    options = parse_arguments()
    comparison = Comparison(options)
    for what in options.what:
        ours, theirs = [], []
        for _ in range(options.turns):
            ours += comparison.fude(what)
            theirs += comparison.trl(what)
        print(json.dumps({"fude": ours, "trl": theirs}), file=sys.stderr)
        for name, values in rates(ours).items():
            peer = rates(theirs)[name]
            ratio = statistics.median(values) / statistics.median(peer)
            print(f"| {what} {name} | {shown(values)} | {shown(peer)} | {ratio:.2f} |", flush=True)
        print(f"| {what} seconds of a step | {shown([s['seconds'] for s in ours])} | {shown([s['seconds'] for s in theirs])} | |")


if __name__ == "__main__":
    main()
