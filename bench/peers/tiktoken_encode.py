"""tiktoken with o200k_base on the documents of a .jsonl file, as `fude bench tokenizer` encodes them.

    python3 tiktoken_encode.py o200k_base.tiktoken TEXT.jsonl [--rounds R] [--threads N]

One line of JSON per row: "encode" and "decode" on one thread, "encode N threads" with encode_ordinary_batch.
"""

import argparse
import base64
import json
import statistics
import time

import tiktoken

TAIL = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + TAIL,
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + TAIL,
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+",
])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ranks")
    parser.add_argument("text")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    with open(options.ranks, "rb") as file:
        ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in file)}
    encoding = tiktoken.Encoding("o200k", pat_str=O200K, mergeable_ranks=ranks, special_tokens={})
    with open(options.text, encoding="utf-8") as file:
        documents = [json.loads(line)["text"] for line in file]
    megabytes = sum(len(text.encode()) for text in documents) / 1e6

    def measure(name, work):
        work()
        rates = []
        for _ in range(options.rounds):
            start = time.perf_counter()
            work()
            rates.append(megabytes / (time.perf_counter() - start))
        print(json.dumps({"name": name, "value": round(statistics.median(rates), 3), "unit": "MB/s",
                          "low": round(min(rates), 3), "high": round(max(rates), 3),
                          "version": tiktoken.__version__}), flush=True)

    measure("encode", lambda: [encoding.encode_ordinary(text) for text in documents])
    if options.threads > 1:
        measure(f"encode {options.threads} threads",
                lambda: encoding.encode_ordinary_batch(documents, num_threads=options.threads))
    encoded = [encoding.encode_ordinary(text) for text in documents]
    measure("decode", lambda: [encoding.decode_bytes(tokens) for tokens in encoded])


if __name__ == "__main__":
    main()
