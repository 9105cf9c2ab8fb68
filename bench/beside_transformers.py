"""What Fude says of real models beside transformers (llama.cpp, lm-eval) on the same weights: is it right?

    python3 bench/beside_transformers.py logprobs FILE.gguf --prompts QUESTIONS.jsonl[.xz] --out REPORT.md
    python3 bench/beside_transformers.py types FILE.gguf --text TEXT
    python3 bench/beside_transformers.py choices FILE.gguf --arc ARC.jsonl.xz --piqa PIQA.jsonl.xz

logprobs  the log-probability of each token of the prompts, in their chat template, or with --new of the answers that
          transformers gives greedily, is compared with transformers' in f32 (--llama-cpp: with llama.cpp's too), and
          whether the likeliest token is the same wherever the peer's margin over the second exceeds twice the tolerance.
          f32 has a derived tolerance: a logit went through some 12 operations a layer, each of which leaves sqrt(K) of K
          random roundings (K: the longest chain), 2^-24 of the largest logit each. In the file's own blocks, activations
          are rounded to 8 bits; for that there is the measured difference only.
types     FILE in every weight type (fude quantize): perplexity of Fude and of transformers on that file, dequantised, and
          the mean divergence KL(transformers || Fude) of the next token's distribution, over the thousand likeliest tokens
          and the sum of the others.
choices   ARC-Easy and PIQA as lm-eval scores them (log-likelihood of the answer, and per character) on the dequantised weights.

Runs in a Python with torch, transformers and gguf (llama-cpp-python, lm-eval). --threads 2 is the default of both sides.
"""

import argparse
import json
import lzma
import math
import pathlib
import subprocess
import sys
import tempfile

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = pathlib.Path(__file__).resolve().parent.parent
TYPES = ["F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_1", "Q5_0", "Q5_K_M", "Q5_K_S", "Q4_1", "Q4_0", "Q4_K_M", "Q4_K_S"]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("logprobs", "types", "choices"))
    parser.add_argument("model", type=pathlib.Path, help="GGUF file")
    parser.add_argument("--fude", default=str(ROOT / "build/release/fude"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompts", type=pathlib.Path, nargs="*", default=[], help="JSONL with question, prompt or text")
    parser.add_argument("--count", type=int, default=200, help="prompts, or questions of each set")
    parser.add_argument("--llama-cpp", action="store_true", help="logprobs: beside llama.cpp too (llama-cpp-python)")
    parser.add_argument("--new", type=int, default=0, help="tokens of an answer; 0: the prompts themselves are compared")
    parser.add_argument("--text", type=pathlib.Path, help="what perplexity is of")
    parser.add_argument("--tokens", type=int, default=2048, help="of it")
    parser.add_argument("--types", nargs="*", default=TYPES, help="those to write the file in")
    parser.add_argument("--arc", type=pathlib.Path)
    parser.add_argument("--piqa", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, help="a report in Markdown; without: standard output")
    return parser.parse_args()


def rows_of(path, count):
    with (lzma.open if path.suffix == ".xz" else open)(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for _, line in zip(range(count), file)]


def load_peer(path):
    """transformers' model of a GGUF file, its weights dequantised to f32, and the tokenizer."""
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)


def fude_scores(options, model, passages, compute, *more):
    lines = "".join(json.dumps(passage) + "\n" for passage in passages)
    command = [options.fude, "score", str(model), "--lines", "--logprobs", "--compute", compute, "--threads",
               str(options.threads), *map(str, more)]
    run = subprocess.run(command, input=lines, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{' '.join(command)}: {run.stderr}")
    return [json.loads(line) for line in run.stdout.splitlines()]


def quantiles(values):
    values = sorted(values)
    at = lambda q: values[min(len(values) - 1, int(q * len(values)))]
    return at(0.5), at(0.99), values[-1]


def peer_token(logprobs_NV, tokens):
    """Of each position: the log-probability of its token, the likeliest token, and by how much it leads."""
    best, order = logprobs_NV.topk(2)
    return list(zip(logprobs_NV[torch.arange(len(tokens)), torch.tensor(tokens)].tolist(), order[:, 0].tolist(),
                    (best[:, 0] - best[:, 1]).tolist()))


def llama_cpp_tokens(options, passages, compute):
    """What llama.cpp says of the passages: of the same weights dequantised, all in f32, or of the file as it is."""
    from llama_cpp import GGML_TYPE_F32, Llama
    with tempfile.TemporaryDirectory() as folder:
        path = options.model
        if compute == "f32":
            path = pathlib.Path(folder, "f32.gguf")
            subprocess.run([options.fude, "quantize", str(options.model), str(path), "--type", "F32", "--allow-requantize"],
                           check=True, capture_output=True)
        longest = max(len(passage["tokens"]) for passage in passages)
        peer = Llama(str(path), n_ctx=longest, n_batch=longest, n_ubatch=longest, n_threads=options.threads,
                     n_threads_batch=options.threads, logits_all=True, type_k=GGML_TYPE_F32, type_v=GGML_TYPE_F32,
                     flash_attn=False, verbose=False)
        said = []
        for passage in passages:
            peer.reset()
            peer.eval(passage["tokens"])
            logits = torch.from_numpy(peer.scores[passage["from"] - 1:len(passage["tokens"]) - 1])
            said.append(peer_token(torch.log_softmax(logits.double(), -1), passage["tokens"][passage["from"]:]))
        return said


@torch.no_grad()
def compare_logprobs(options, report):
    model, tokenizer = load_peer(options.model)
    per_file = -(-options.count // len(options.prompts))
    prompts = [row for path in options.prompts for row in rows_of(path, per_file)][:options.count]
    passages, peers, largest = [], {"transformers": []}, 0.0
    for row in prompts:
        text = row.get("question") or row.get("prompt") or row["text"][:400]
        ids = tokenizer.apply_chat_template([{"role": "user", "content": text}], add_generation_prompt=True,
                                            return_dict=False) if tokenizer.chat_template else tokenizer(text).input_ids
        whole, first = ids, 1
        if options.new > 0:
            whole = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                                   max_new_tokens=options.new, do_sample=False)[0].tolist()
            first = len(ids)
        logits = model(torch.tensor([whole])).logits[0, first - 1:-1]
        largest = max(largest, logits.abs().max().item())
        passages.append({"tokens": whole, "from": first})
        peers["transformers"].append(peer_token(torch.log_softmax(logits.double(), -1), whole[first:]))
    if options.llama_cpp:
        peers["llama.cpp in f32"] = llama_cpp_tokens(options, passages, "f32")
    config = model.config
    operations = 12 * config.num_hidden_layers + 2
    tolerance = operations * math.sqrt(max(config.hidden_size, config.intermediate_size)) * 2**-24 * largest
    report(f"{len(passages)} prompts, {sum(len(p['tokens']) - p['from'] for p in passages)} tokens; tolerance in f32 "
           f"{tolerance:.1e} (logits up to {largest:.1f})\n")
    report("| | beside | median abs. difference | 99 % | largest | argmax differs | of those, margin > 2 × tolerance |")
    report("|---|---|---|---|---|---|---|")

    def compare(who, said, peer):  # said: for each passage its tokens' log-probabilities and the likeliest tokens
        differences, differs, wrong = [], 0, 0
        for (logprobs, likeliest), theirs in zip(said, peers[peer], strict=True):
            for logprob, top, (peer_logprob, peer_top, margin) in zip(logprobs, likeliest, theirs, strict=True):
                differences.append(abs(logprob - peer_logprob))
                differs += top != peer_top
                wrong += top != peer_top and margin > 2 * tolerance
        median, most, worst = quantiles(differences)
        report(f"| {who} | {peer} | {median:.1e} | {most:.1e} | {worst:.1e} | {differs} | {wrong} |")
        if "f32" in who and (worst > tolerance or wrong):
            sys.exit(f"{who} differs from {peer} by more than the tolerance")

    for compute in ("f32", "file"):
        scored = fude_scores(options, options.model, passages, compute, "--top", 1)
        said = [(row["logprobs"], [top[0][0] for top in row["top"]]) for row in scored]
        for peer in peers:
            compare("Fude, as the file is" if compute == "file" else "Fude in f32", said, peer)
    if options.llama_cpp:  # how much rounding activations costs another program
        said = [([token[0] for token in row], [token[1] for token in row])
                for row in llama_cpp_tokens(options, passages, "file")]
        compare("llama.cpp, as the file is", said, "transformers")


@torch.no_grad()
def compare_types(options, report):
    report("| type | MB | perplexity: transformers | Fude f32 | Fude as the file is | KL f32 | KL as the file is |")
    report("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.types:
            path = pathlib.Path(folder, f"{name}.gguf")
            subprocess.run([options.fude, "quantize", str(options.model), str(path), "--type", name, "--allow-requantize"],
                           check=True, capture_output=True)
            model, tokenizer = load_peer(path)
            ids = tokenizer(options.text.read_text(encoding="utf-8"), add_special_tokens=False).input_ids[:options.tokens]
            windows = [ids[i:i + 512] for i in range(0, len(ids) - 511, 512)]
            logprobs = [torch.log_softmax(model(torch.tensor([window])).logits[0].double(), -1) for window in windows]
            peer = [-lp[i, window[i + 1]].item() for lp, window in zip(logprobs, windows) for i in range(256, 511)]
            cells = [name, f"{path.stat().st_size / 1e6:.0f}", f"{math.exp(sum(peer) / len(peer)):.4f}"]
            perplexities, divergences = [], []
            for compute in ("f32", "file"):
                scored = fude_scores(options, path, [{"tokens": window, "from": 257} for window in windows], compute, "--top", 1000)
                ours = [-value for row in scored for value in row["logprobs"]]
                perplexities.append(f"{math.exp(sum(ours) / len(ours)):.4f}")
                total = 0.0
                for lp, row in zip(logprobs, scored):
                    for i, top in enumerate(row["top"]):
                        likely = torch.tensor([token for token, _ in top])
                        q = torch.tensor([value for _, value in top], dtype=torch.float64)
                        p = lp[256 + i, likely]
                        p_rest, q_rest = 1 - p.exp().sum().item(), 1 - q.exp().sum().item()
                        total += (p.exp() * (p - q)).sum().item()
                        if p_rest > 0 and q_rest > 0:
                            total += p_rest * math.log(p_rest / q_rest)
                divergences.append(f"{total / len(ours):.1e}")
            report("| " + " | ".join(cells + perplexities + divergences) + " |")
            path.unlink()


def compare_choices(options, report):
    """lm-eval runs its own loop over transformers; Fude scores the same contexts and answers."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM
    model, tokenizer = load_peer(options.model)
    peer = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=8)
    report("| set | questions | lm-eval acc | Fude f32 | Fude as the file is | lm-eval acc_norm | Fude f32 | Fude as the file is |")
    report("|---|---|---|---|---|---|---|---|")
    for name, path in (("ARC-Easy", options.arc), ("PIQA", options.piqa)):
        if path is None:
            continue
        questions = rows_of(path, options.count)
        pairs = [(f"Question: {q['question']}\nAnswer:", f" {choice}") for q in questions for choice in q["choices"]]
        requests = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
        scores = [[score for score, _ in peer.loglikelihood(requests, disable_tqdm=True)]]
        # lm-eval's tokens: those of the whole behind those of the context.
        passages = []
        for context, answer in pairs:
            before, whole = tokenizer(context).input_ids, tokenizer(context + answer).input_ids
            passages.append({"tokens": whole, "from": len(before)})
        for compute in ("f32", "file"):
            scores.append([row["logprob"] for row in fude_scores(options, options.model, passages, compute)])
        cells = [name, str(len(questions))]
        for normalised in (False, True):
            for found in scores:
                right, at = 0, 0
                for question in questions:
                    n = len(question["choices"])
                    value = [found[at + i] / (len(question["choices"][i]) if normalised else 1) for i in range(n)]
                    right += max(range(n), key=value.__getitem__) == question["answer"]
                    at += n
                cells.append(f"{100 * right / len(questions):.1f} %")
        report("| " + " | ".join(cells) + " |")


def main():
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    lines = []

    def report(line):
        print(line, flush=True)
        lines.append(line)

    {"logprobs": compare_logprobs, "types": compare_types, "choices": compare_choices}[options.what](options, report)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
