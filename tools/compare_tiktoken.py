#!/usr/bin/env python3
"""Compares Fude's ids with tiktoken's: tools/compare_tiktoken.py ENCODE_FILE RANKS_DIR VOCABULARY [JSONL.xz ...]

VOCABULARY is gpt2, cl100k_base or o200k_base; the documents are the "text" of the rows. Texts of a megabyte of one
character, emoji, random strings and broken UTF-8 are added. For broken UTF-8 the reference is our rule (unicode.h): the
text is cut by tiktoken's pattern with U+FFFD for every byte outside well-formed UTF-8, and the bytes of each piece are merged by
tiktoken.
"""
import base64
import json
import lzma
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time

import regex
import tiktoken
import tiktoken_ext.openai_public as public

O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
CL100K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"
          r"|\s+(?!\S)|\s")
PATTERNS = {"gpt2": public.r50k_pat_str, "cl100k_base": CL100K, "o200k_base": O200K}


def load(ranks_dir, name):
    ranks = {}
    for line in (pathlib.Path(ranks_dir) / f"{name}.tiktoken").read_text().splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    return tiktoken.Encoding(name, pat_str=PATTERNS[name], mergeable_ranks=ranks, special_tokens={})


def encode_broken(encoding, splitter, data):
    shown, sizes = [], []
    for c in data.decode("utf-8", "surrogateescape"):
        escaped = 0xDC80 <= ord(c) <= 0xDCFF
        shown.append("\ufffd" if escaped else c)
        sizes.append(1 if escaped else len(c.encode()))
    ids, at, character = [], 0, 0
    for piece in splitter.findall("".join(shown)):
        size = sum(sizes[character:character + len(piece)])
        ids += encoding._encode_single_piece(data[at:at + size])
        at, character = at + size, character + len(piece)
    assert at == len(data)
    return ids


def encode_long(encoding, splitter, text):
    """tiktoken's regular expressions overflow their stack on long runs; the module regex does not."""
    if len(text) < 50000:
        return encoding.encode_ordinary(text)
    return [token for piece in splitter.findall(text) for token in encoding._encode_single_piece(piece.encode())]


def hostile_texts():
    generator = random.Random(7)
    texts = [unit * (1000000 // len(unit.encode())) for unit in ["a", "A", " ", "\n", "1", "!", "漢", "あ", "😀", "é", "\u0301", "ab", "\r\n"]]
    texts += ["👨‍👩‍👧‍👦🏳️‍🌈" * 1000, "'s" * 1000, "a'S" * 1000]
    morsels = ["'s", "'S", "'re", "'LL", "'ſ", "ſ", "'", " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u0085", "/", "!", "?!",
               ".", "_", "0", "12", "1234", "½", "٣", "Ⅷ", "a", "Z", "Ab", "hello", "World", "é", "É", "ǅ", "ʰ", "\u0301", "ि",
               "漢", "字", "あ", "ア", "ー", "한", "Ж", "ж", "א", "😀", "\u200d", "\ufe0f", "\ufeff"]
    for n in range(30000):
        text = ""
        for _ in range(generator.randrange(1, 20)):
            if generator.random() < 0.75:
                text += generator.choice(morsels)
            else:
                c = generator.randrange(generator.choice([0x80, 0x800, 0x3100, 0x10000, 0x20000, 0x110000]))
                text += "" if 0xD800 <= c <= 0xDFFF else chr(c)
        texts.append(text)
    return texts


def broken_texts():
    generator = random.Random(8)
    base = "héllo 漢字 😀 world's\n\n 123 ".encode()
    for n in range(20000):
        data = bytearray(generator.choices(base, k=generator.randrange(1, 30)))
        for _ in range(generator.randrange(3)):
            data.insert(generator.randrange(len(data) + 1), generator.randrange(256))
        yield bytes(data)


def fude(program, ranks_dir, name, records):
    with tempfile.NamedTemporaryFile() as file:
        for record in records:
            file.write(struct.pack("<I", len(record)) + record)
        file.flush()
        run = subprocess.run([program, f"{ranks_dir}/{name}.tiktoken", file.name], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    message = run.stderr.decode().strip()
    assert run.returncode == 0 and "round trip" not in message, message
    out, at = [], 0
    while at < len(run.stdout):
        count, = struct.unpack_from("<I", run.stdout, at)
        out.append(list(struct.unpack_from(f"<{count}i", run.stdout, at + 4)))
        at += 4 + 4 * count
    return out, message


def compare(label, ours, message, expected, records):
    assert len(ours) == len(expected)
    wrong = [i for i in range(len(ours)) if ours[i] != expected[i]]
    print(f"{label}: {len(records)} texts, {sum(map(len, records)) / 1e6:.2f} MB, {sum(map(len, expected))} tokens, "
          f"{len(wrong)} differ | {message}", flush=True)
    for i in wrong[:3]:
        print("  ", repr(records[i][:200]), ours[i][:30], expected[i][:30])
    return len(wrong)


def main():
    program, ranks_dir, name, *files = sys.argv[1:]
    encoding = load(ranks_dir, name)
    wrong = 0
    for file in files:
        with lzma.open(file, "rt", encoding="utf-8") as lines:
            texts = [json.loads(line)["text"] for line in lines]
        records = [text.encode() for text in texts]
        start = time.time()
        expected = [encoding.encode_ordinary(text) for text in texts]
        seconds = time.time() - start
        ours, message = fude(program, ranks_dir, name, records)
        message += f"; tiktoken {sum(map(len, records)) / 1e6 / seconds:.1f} MB/s"
        wrong += compare(f"{name} {pathlib.Path(file).parent.name}/{pathlib.Path(file).name}", ours, message, expected, records)
    texts = hostile_texts()
    records = [text.encode() for text in texts]
    splitter = regex.compile(PATTERNS[name])
    ours, message = fude(program, ranks_dir, name, records)
    wrong += compare(f"{name} hostile", ours, message, [encode_long(encoding, splitter, text) for text in texts], records)
    records = list(broken_texts())
    ours, message = fude(program, ranks_dir, name, records)
    wrong += compare(f"{name} broken UTF-8", ours, message, [encode_broken(encoding, splitter, r) for r in records], records)
    sys.exit(wrong != 0)


if __name__ == "__main__":
    main()
