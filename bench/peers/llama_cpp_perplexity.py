"""Perplexity of GGUF files in Fude and in llama.cpp, which has to load what `fude quantize` wrote.

    python3 bench/peers/llama_cpp_perplexity.py LLAMA_CPP/bin TEXT FILE.gguf… [--context 512] [--fude PATH]

One line of JSON a file: Fude's perplexity with activations in 8 bits, as the file is, and in f32, and llama.cpp's. Both
count windows of the text whose second half is scored.
"""

import argparse
import json
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def fude(options, file, compute):
    command = [options.fude, "--threads", str(options.threads), "--json", "perplexity", file, "--in", options.text,
               "--context", str(options.context), "--compute", compute]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return json.loads(done.stdout)["perplexity"]


def llama_cpp(options, file):
    command = [options.bin / "llama-perplexity", "-m", file, "-f", options.text, "-c", str(options.context),
               "-t", str(options.threads)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    return float(re.search(r"PPL = ([0-9.]+)", done.stdout)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("text")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fude", default=ROOT / "build/release/fude")
    options = parser.parse_args()
    for file in options.files:
        row = {"file": pathlib.Path(file).name, "fude": fude(options, file, "file"), "fude_f32": fude(options, file, "f32"),
               "llama_cpp": llama_cpp(options, file)}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
