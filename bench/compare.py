"""Runs `fude bench` and its peers in turns on the same work, and prints one table, or writes it with the machine.

    python3 bench/compare.py gemm --peer build/release/bench/onednn_gemm
    python3 bench/compare.py step --python VENV/bin/python --out bench/results/step.md
    python3 bench/compare.py tokenizer --python VENV/bin/python --tokenizer o200k_base.tiktoken --in TEXT.jsonl
    python3 bench/compare.py generate --model FILE.gguf --llama-cpp BIN --python VENV/bin/python --openvino FOLDER

A pass is one run of Fude and one of each peer; passes alternate, so that what the machine does meanwhile hits all alike.
A value is the median over the passes, with the lowest and the highest sample of all, a ratio the median of the passes'
own ratios, with the lowest and the highest of them; rows meet by name, and of several peers the fastest counts. PyTorch
and the tokenizers run in the Python given by --python (pip install torch tiktoken tokenizers). --json prints one object
a line: those of `fude bench --json`, with peer, peer_version, peer_value, peer_low, peer_high, ratio, ratio_low and
ratio_high.
"""

import argparse
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys

from report import ROOT, commit, machine, number, shown, spread

PEERS = ROOT / "bench" / "peers"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmark", choices=("gemm", "step", "tokenizer", "generate"))
    parser.add_argument("--fude", default=str(ROOT / "build/release/fude"))
    parser.add_argument("--peer", default=str(ROOT / "build/release/bench/onednn_gemm"), help="gemm: the oneDNN program")
    parser.add_argument("--python", default=sys.executable, help="step, tokenizer: a Python that has the peers")
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3, help="samples in a pass")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--filter", action="append", default=[], help="only rows whose name contains this")
    parser.add_argument("--batch", type=int, default=4, help="step: B")
    parser.add_argument("--sequence", type=int, nargs="+", default=[64, 512], help="step: T")
    parser.add_argument("--type", nargs="+", default=["f32", "bf16"], help="gemm, step: of f32, bf16")
    parser.add_argument("--tokenizer", help="tokenizer: a .tiktoken file")
    parser.add_argument("--in", dest="input", help="tokenizer: a .jsonl file with the documents in 'text'")
    parser.add_argument("--model", help="generate: a GGUF file, for llama.cpp too, or a model folder")
    parser.add_argument("--llama-cpp", help="generate: the folder of llama-bench and llama-batched-bench")
    parser.add_argument("--ik-llama-cpp", help="generate: those of ik_llama.cpp")
    parser.add_argument("--openvino", help="generate: the model, exported for OpenVINO")
    parser.add_argument("--wrap", default="", help="put before each command: 'taskset -c 0,1', a lock, ...")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", help="Markdown file for the table, the machine and the commands")
    return parser.parse_args()


def commands(options):
    """(who, command) for a pass: Fude first."""
    filters = [word for text in options.filter for word in ("--filter", text)]
    bare = [options.fude, "--threads", str(options.threads), "--json", "bench", options.benchmark, "--rounds", str(options.rounds)]
    fude = [*bare, *filters]
    if options.benchmark == "gemm":
        if not os.access(options.peer, os.X_OK):
            sys.exit(f"compare.py gemm: there is no {options.peer}; with libdnnl-dev installed,"
                     " `cmake --build build/release --target onednn_gemm` builds it")
        yield "Fude", fude
        for dtype in options.type:
            yield "oneDNN", [options.peer, "--rounds", str(options.rounds), "--type", dtype, *filters]
    elif options.benchmark == "step":
        for length in options.sequence:
            for dtype in options.type:
                name = f"{dtype} step B={options.batch} T={length}"
                if options.filter and not any(text in name for text in options.filter):
                    continue
                shape = ["--batch", str(options.batch), "--sequence", str(length)]
                yield "Fude", [*bare, "--filter", name, *shape]
                for how in ([], ["--compile"]):
                    yield "PyTorch compiled" if how else "PyTorch", [
                        options.python, str(PEERS / "torch_gpt2_step.py"), *shape, "--dtype", dtype,
                        "--steps", str(options.rounds), "--threads", str(options.threads), *how]
    elif options.benchmark == "tokenizer":
        if not (options.tokenizer and options.input):
            sys.exit("compare.py tokenizer: expected --tokenizer FILE.tiktoken and --in FILE.jsonl")
        yield "Fude", [*fude, "--tokenizer", options.tokenizer, "--in", options.input]
        yield "tiktoken", [options.python, str(PEERS / "tiktoken_encode.py"), options.tokenizer, options.input,
                           "--rounds", str(options.rounds), "--threads", str(options.threads)]
        if options.filter and not any(text in "train 8192" for text in options.filter):
            return
        yield "Fude", [*bare, "--in", options.input, "--filter", "train"]
        yield "Hugging Face tokenizers", [options.python, str(PEERS / "tokenizers_train.py"), options.input,
                                          "--threads", str(options.threads)]
    else:
        yield "Fude", fude + ([options.model] if options.model else [])
        shape = ["--rounds", str(options.rounds), "--threads", str(options.threads), *filters]
        for name, folder in (("llama.cpp", options.llama_cpp), ("ik_llama.cpp", options.ik_llama_cpp)):
            if folder and options.model:
                yield name, [sys.executable, str(PEERS / "llama_cpp_generate.py"), folder, options.model, *shape,
                             *(["--repack"] if name == "ik_llama.cpp" else [])]
        if options.openvino:
            yield "OpenVINO", [options.python, str(PEERS / "openvino_generate.py"), options.openvino, *shape]


def run(command, options):
    environment = os.environ | {"OMP_NUM_THREADS": str(options.threads)}
    done = subprocess.run([*shlex.split(options.wrap), *command], env=environment, stdout=subprocess.PIPE, text=True)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not rows:
        print(f"compare.py: {' '.join(command)}: exit status {done.returncode}, {len(rows)} rows", file=sys.stderr)
    return rows


def measure(options):
    """{name: {who: [rows]}}, {peer: its version}, and the commands as they were run."""
    samples, versions, lines = {}, {}, []
    for pass_number in range(options.passes):
        for who, command in commands(options):
            if pass_number == 0:
                lines.append(shown(command))
            for row in run(command, options):
                row["pass"] = pass_number
                samples.setdefault(row["name"], {}).setdefault(who, []).append(row)
                if who != "Fude":
                    versions[who] = row.get("version", "")
                if "peak_memory_bytes" in row:
                    memory = {"value": row["peak_memory_bytes"] / 2**20, "unit": "MiB", "pass": pass_number}
                    memory |= {"low": memory["value"], "high": memory["value"]}
                    samples.setdefault(row["name"] + " memory", {}).setdefault(who, []).append(memory)
            print(f"pass {pass_number + 1}/{options.passes}: {who}", file=sys.stderr)
    return samples, versions, lines


def median_row(name, rows):
    row = {"name": name, "value": statistics.median(r["value"] for r in rows), "unit": rows[0]["unit"],
           "low": min(r["low"] for r in rows), "high": max(r["high"] for r in rows)}
    limits = [r["limit"] for r in rows if "limit" in r]
    if limits:
        row["limit"] = statistics.median(limits)
        row["fraction"] = round(row["value"] / row["limit"], 4)
    return row


def ratios(ours, theirs):
    """Of each pass, whose two values the same minutes of the machine made."""
    def by_pass(rows):
        values = {}
        for row in rows:
            values.setdefault(row["pass"], []).append(row["value"])
        return {key: statistics.median(of_pass) for key, of_pass in values.items()}

    ours, theirs = by_pass(ours), by_pass(theirs)
    return [ours[key] / theirs[key] for key in ours if key in theirs]


def join(samples, versions):
    for name, by in samples.items():
        if "Fude" not in by:
            continue
        row = median_row(name, by["Fude"])
        quotients = {who: ratios(by["Fude"], rows) for who, rows in by.items() if who != "Fude"}
        peers = {who: median_row(name, by[who]) for who, of_passes in quotients.items() if of_passes}
        if peers:
            # Less is better of memory: of several peers the one that needs least.
            best = min if row["unit"] == "MiB" else max
            who = best(peers, key=lambda peer: peers[peer]["value"])
            row |= {"peer": who, "peer_version": versions[who], "peer_value": peers[who]["value"],
                    "peer_low": peers[who]["low"], "peer_high": peers[who]["high"],
                    "ratio": round(statistics.median(quotients[who]), 4), "ratio_low": round(min(quotients[who]), 4),
                    "ratio_high": round(max(quotients[who]), 4)}
        yield row


def table(rows):
    yield "| | Fude | unit | limit | share | peer | its value | ratio |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        limit = (number(row["limit"]), f"{100 * row['fraction']:.0f} %") if "limit" in row else ("", "")
        peer = ("", "", "")
        if "peer" in row:
            ratio = spread(row["ratio"], row["ratio_low"], row["ratio_high"], "{:.2f}".format)
            peer = (row["peer"], spread(row["peer_value"], row["peer_low"], row["peer_high"]), ratio)
        ours = spread(row["value"], row["low"], row["high"])
        yield "| " + " | ".join((row["name"], ours, row["unit"], *limit, *peer)) + " |"


def main():
    options = parse_arguments()
    samples, versions, lines = measure(options)
    rows = list(join(samples, versions))
    if options.json:
        for row in rows:
            print(json.dumps(row))
    else:
        print("\n".join(table(rows)))
    if options.out:
        # PyTorch, eager and compiled, is one.
        peers = dict.fromkeys(f"{who.removesuffix(' compiled')} {version}".strip() for who, version in versions.items())
        text = [f"# {options.benchmark}", "", f"Machine: {machine()}.",
                *([f"Peers: {', '.join(peers)}."] if peers else []),
                f"Commit {commit()}; {options.threads} threads; {options.passes} passes of {options.rounds} samples,"
                " Fude and peers in turns. A value is the median of the passes' medians, in brackets the lowest and"
                " highest sample; a ratio is the median of the passes' ratios, in brackets the lowest and highest.",
                "", *table(rows), "", "Commands of a pass:", "", "```", *lines, "```", ""]
        pathlib.Path(options.out).write_text("\n".join(text))


if __name__ == "__main__":
    main()
