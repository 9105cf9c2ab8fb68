#!/usr/bin/env python3
"""Compares Fude's ids with Hugging Face tokenizers': tools/compare_huggingface.py ENCODE_FILE TOKENIZER_JSON [JSONL.xz ...]

TOKENIZER_JSON may be one that Fude trained and saved, or anyone's. Random strings are added; special tokens are plain text.
"""
import json
import lzma
import pathlib
import subprocess
import sys
import tempfile
import time

from tokenizers import Tokenizer

from compare_tiktoken import hostile_texts
import struct


def fude(program, tokenizer, records):
    with tempfile.NamedTemporaryFile() as file:
        for record in records:
            file.write(struct.pack("<I", len(record)) + record)
        file.flush()
        run = subprocess.run([program, tokenizer, file.name], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    message = run.stderr.decode().strip()
    assert run.returncode == 0, message
    out, at = [], 0
    while at < len(run.stdout):
        count, = struct.unpack_from("<I", run.stdout, at)
        out.append(list(struct.unpack_from(f"<{count}i", run.stdout, at + 4)))
        at += 4 + 4 * count
    return out, message.splitlines()[-1]


def main():
    program, path, *files = sys.argv[1:]
    tokenizer = Tokenizer.from_file(path)
    tokenizer.encode_special_tokens = True
    sets = [("random", [text for text in hostile_texts() if len(text) < 5000])]
    for file in files:
        with lzma.open(file, "rt", encoding="utf-8") as lines:
            sets.append((pathlib.Path(file).name, [json.loads(line)["text"] for line in lines]))
    wrong = 0
    for name, texts in sets:
        start = time.time()
        expected = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        seconds = time.time() - start
        records = [text.encode() for text in texts]
        ours, message = fude(program, path, records)
        differ = [i for i in range(len(texts)) if ours[i] != expected[i]]
        wrong += len(differ)
        print(f"{name}: {len(texts)} texts, {sum(map(len, expected))} tokens, {len(differ)} differ | {message}; "
              f"tokenizers {sum(map(len, records)) / 1e6 / seconds:.1f} MB/s", flush=True)
        for i in differ[:3]:
            print("  ", repr(texts[i][:100]), ours[i][:30], expected[i][:30])
    sys.exit(wrong != 0)


main()
