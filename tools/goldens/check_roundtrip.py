"""Does transformers read from the folders that Fude writes the models that Fude has?

    python3 tools/goldens/check_roundtrip.py [--fude build/release/fude] [--goldens tests/goldens]

Each golden is written by `fude convert`, and by `fude train` after some steps from it; one more model is trained from
nothing, with a tokenizer of its own. transformers must find each tensor of such a folder, no other, with its bits;
convert's must be the golden's. Then the log-probabilities of the whole vocabulary behind each token are compared with
those of `fude score`. A logit went through some 12 operations a layer, each of which leaves sqrt(K) of K random
roundings (K: the longest chain), 2^-24 of the largest logit each. Of the tokenizer, ids are compared.

Prints a line for each family; exits with 1 if anything differs. Runs with transformers 4.57 and 5 alike.
"""

import argparse
import json
import math
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

import torch
import transformers
from safetensors.torch import load_file

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TRAINING = ["--steps", 5, "--warmup", 0, "--learning-rate", 0.01, "--row-tokens", 16, "--rows", 4]
SHAPE = ["--width", 32, "--layers", 2, "--heads", 4, "--kv-heads", 2, "--head-size", 16, "--feed-forward", 48,
         "--context", 64]


class Different(Exception):
    pass


def fude(options, *arguments, stdin=""):
    command = [options.fude, *map(str, arguments), "--json", "--threads", "2"]
    run = subprocess.run(command, input=stdin, capture_output=True, text=True)
    if run.returncode != 0:
        raise Different(f"{' '.join(command)}: {run.stderr}")
    return [json.loads(line) for line in run.stdout.splitlines()]


def write_text(path):
    draw = random.Random(1)
    words = ["red", "house", "old", "mill", "boat", "lives", "in", "a", "the", "42"]
    path.write_text("".join(" ".join(draw.choices(words, k=9)) + ".\n\n" for _ in range(200)), encoding="utf-8")


def write_tokenizer(folder):
    """Goldens have none, and Fude's commands ask for one: what can be typed, a token each, as far as there are ids."""
    count = json.loads((folder / "config.json").read_text())["vocab_size"]
    names = ["<|end|>", "Ġ", "Ċ", *map(chr, range(ord("a"), ord("z") + 1)), *map(chr, range(ord("!"), ord("a")))]
    end = {"id": 0, "content": names[0], "special": True}
    model = {"type": "BPE", "vocab": {name: i for i, name in enumerate(names[:count])}, "merges": []}
    bytes_ = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
    (folder / "tokenizer.json").write_text(
        json.dumps({"added_tokens": [end], "pre_tokenizer": bytes_, "decoder": bytes_, "model": model}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": names[0]}))


def load(folder):
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype="auto", local_files_only=True, output_loading_info=True)
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info.get(problem):
            raise Different(f"{problem.replace('_', ' ')}: {sorted(info[problem])}")
    return model.eval()


def same_tensors(what, a, b):
    if a.keys() != b.keys():
        raise Different(f"{what}: {sorted(a.keys() ^ b.keys())}")
    for name, value in a.items():
        if value.dtype != b[name].dtype or not torch.equal(value.view(torch.uint8), b[name].view(torch.uint8)):
            raise Different(f"{what}: {name}")


@torch.no_grad()
def compare(options, folder, sequences):
    """The largest difference of a log-probability, and the tolerance."""
    model = load(folder)
    saved = load_file(folder / "model.safetensors")
    same_tensors("transformers has other tensors than the file", saved, dict(model.named_parameters()))
    config, largest, differences = model.config, 0.0, []
    rows = [{"tokens": tokens, "from": 1} for tokens in sequences]
    scored = fude(options, "score", folder, "--lines", "--logprobs", "--compute", "f32", "--top", config.vocab_size,
                  stdin="".join(json.dumps(row) + "\n" for row in rows))
    for tokens, row in zip(sequences, scored, strict=True):
        logits = model(torch.tensor([tokens]), use_cache=False).logits[0, :-1]
        largest = max(largest, logits.abs().max().item())
        ours = torch.full(logits.shape, math.nan, dtype=torch.float64)
        for position, top in enumerate(row["top"]):
            for token, logprob in top:
                ours[position, token] = logprob
        differences.append((ours - torch.log_softmax(logits.double(), -1)).abs().max().item())
    difference = math.nan if any(map(math.isnan, differences)) else max(differences)
    chain = max(config.hidden_size, getattr(config, "intermediate_size", 4 * config.hidden_size))
    tolerance = (12 * config.num_hidden_layers + 2) * math.sqrt(chain) * 2**-24 * largest
    if not difference <= tolerance:
        raise Different(f"log-probabilities differ by {difference:.1e}, the tolerance is {tolerance:.1e}")
    return f"{difference:.1e} of {tolerance:.1e}"


def check_golden(options, golden, work):
    start, saved, run = work / "start", work / "saved", work / "run"
    shutil.copytree(golden, start, ignore=shutil.ignore_patterns("adapter*", "*.gguf", "*steps.safetensors"))
    write_tokenizer(start)
    write_text(work / "text.txt")
    values = load_file(golden / "golden.safetensors")
    starts = values["sequence_starts"].tolist()
    tokens = values["tokens"].tolist()
    sequences = [tokens[a:b] for a, b in zip(starts, starts[1:]) if b - a > 1]
    fude(options, "convert", start, saved)
    original, converted = load_file(golden / "model.safetensors"), load_file(saved / "model.safetensors")
    same_tensors("convert's tensors are not the golden's", original, converted)
    fude(options, "shards", work / "text.txt", "--tokenizer", start, "--out", work / "shards")
    fude(options, "train", "--model", start, "--data", work / "shards", "--out", run, *TRAINING)
    trained = load_file(run / "model/model.safetensors")
    still = [name for name in original if torch.equal(original[name], trained[name])]
    if still:
        raise Different(f"training left {still} alone")
    return f"converted {compare(options, saved, sequences)}, trained {compare(options, run / 'model', sequences)}"


def check_new(options, work):
    tokenizer, model = work / "tokenizer", work / "run/model"
    write_text(work / "text.txt")
    fude(options, "tokenizer", work / "text.txt", "--out", tokenizer, "--vocabulary", 300)
    fude(options, "shards", work / "text.txt", "--tokenizer", tokenizer, "--out", work / "shards")
    fude(options, "train", "--data", work / "shards", "--tokenizer", tokenizer, "--out", work / "run", *SHAPE,
         *TRAINING)
    peer = transformers.AutoTokenizer.from_pretrained(model)
    texts = ["the old mill lives in a red house.\n\n", "a boat, 42 boats\tand 東京 é\u0301 🙂\n  x"]
    sequences = [peer(text).input_ids for text in texts]
    for text, ids in zip(texts, sequences):
        ours = [row["token"] for row in fude(options, "score", model, "--text", text, "--logprobs")[:-1]]
        if ours != ids[1:] or peer.decode(ids) != text:  # score begins behind the first
            raise Different(f"the tokens of {text!r} are {ids}, Fude has {ours}")
    return f"trained {compare(options, model, sequences)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fude", default=str(ROOT / "build/release/fude"))
    parser.add_argument("--goldens", type=pathlib.Path, default=ROOT / "tests/goldens")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    print(f"transformers {transformers.__version__}, torch {torch.__version__}: largest difference of tolerance")
    goldens = sorted(path.parent for path in options.goldens.glob("*/golden.safetensors"))
    checks = [(golden.name, lambda work, golden=golden: check_golden(options, golden, work)) for golden in goldens]
    checks.append(("(from nothing)", lambda work: check_new(options, work)))
    failed = 0
    for name, check in checks:
        with tempfile.TemporaryDirectory(prefix="fude-roundtrip-") as work:
            try:
                line = check(pathlib.Path(work))
            except Exception as error:  # transformers has many ways to refuse
                line, failed = f"FAILED: {type(error).__name__}: {' '.join(str(error).split())}", failed + 1
        print(f"{name:15} {line}", flush=True)
    sys.exit(1 if failed or not goldens else 0)


if __name__ == "__main__":
    main()
