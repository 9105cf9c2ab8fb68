"""Hugging Face tokenizers trains a byte-level BPE on the documents of a .jsonl file, as `fude bench tokenizer` does.

    python3 tokenizers_train.py TEXT.jsonl [--vocabulary 8192] [--rounds R] [--threads N]
"""

import argparse
import json
import os
import statistics
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text")
    parser.add_argument("--vocabulary", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(options.threads)  # read when the package is loaded

    import tokenizers
    from tiktoken_encode import O200K

    with open(options.text, encoding="utf-8") as file:
        documents = [json.loads(line)["text"] for line in file]
    megabytes = sum(len(text.encode()) for text in documents) / 1e6

    rates = []
    for _ in range(options.rounds):
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([
            tokenizers.pre_tokenizers.Split(tokenizers.Regex(O200K), "isolated"),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ])
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=options.vocabulary, show_progress=False,
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet())
        start = time.perf_counter()
        tokenizer.train_from_iterator(documents, trainer)
        rates.append(megabytes / (time.perf_counter() - start))
    print(json.dumps({"name": f"train {options.vocabulary}", "value": round(statistics.median(rates), 3), "unit": "MB/s",
                      "low": round(min(rates), 3), "high": round(max(rates), 3), "version": tokenizers.__version__}))


if __name__ == "__main__":
    main()
