#!/usr/bin/env python3
"""Writes tests/fuzz/corpus/: tokenizers from which fuzzing begins, of each kind that GGUF files have.

tools/goldens/make_gguf_tokenizers.py CORPUS, with the packages gguf and sentencepiece. gguf_tokenizer_fuzz/ gets files without
tensors, tokenizer_file_fuzz/ a tokenizer.json with a table of characters; all are the tokenizers of
tests/goldens/sentencepiece in other words.
"""
import base64
import json
import pathlib
import sys

import gguf
from sentencepiece import sentencepiece_model_pb2 as sentencepiece

GOLDENS = pathlib.Path(__file__).parents[2] / "tests/goldens/sentencepiece"


def write(path, model, tokens, scores=None, types=None, merges=None, more=()):
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_tokenizer_model(model)
    writer.add_token_list(tokens)
    if scores:
        writer.add_token_scores(scores)
    if types:
        writer.add_token_types(types)
    if merges:
        writer.add_token_merges(merges)
    for add, value in more:
        getattr(writer, add)(value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def pieces(name):
    model = sentencepiece.ModelProto()
    model.ParseFromString((GOLDENS / name).read_bytes())
    rows = [(p.piece, p.score, p.type) for p in model.pieces]
    return [list(column) for column in zip(*rows)], model.normalizer_spec


def main():
    corpus = pathlib.Path(sys.argv[1])
    out = corpus / "gguf_tokenizer_fuzz"
    for folder in (out, corpus / "tokenizer_file_fuzz"):
        folder.mkdir(parents=True, exist_ok=True)

    (tokens, scores, types), _ = pieces("bpe.model")
    write(out / "llama", "llama", tokens, scores, types, more=[("add_bos_token_id", 1), ("add_eos_token_id", 2), ("add_add_space_prefix", True)])
    (tokens, scores, types), spec = pieces("unigram.model")
    table = spec.precompiled_charsmap
    assert table
    write(out / "t5", "t5", tokens, scores, types, more=[("add_precompiled_charsmap", table), ("add_remove_extra_whitespaces", True)])

    file = json.loads((GOLDENS / "t5.json").read_text())
    file["normalizer"]["normalizers"].insert(0, {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(table).decode()})
    (corpus / "tokenizer_file_fuzz/charsmap").write_text(json.dumps(file, ensure_ascii=False, separators=(",", ":")))

    file = json.loads((GOLDENS / "gemma.json").read_text())["model"]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in file["merges"]]
    write(out / "gemma4", "gemma4", list(file["vocab"]), merges=merges)

    byte_names = [chr(c) for c in range(33, 127)] + [chr(c) for c in range(161, 173)] + [chr(c) for c in range(174, 256)]
    byte_names += [chr(256 + i) for i in range(256 - len(byte_names))]
    merges = ["t h", "th e", "Ġ the", "a a", "aa aa", "1 2"]
    tokens = byte_names + [merge.replace(" ", "") for merge in merges] + ["<s>", "</s>"]
    types = [1] * (len(tokens) - 2) + [3, 3]
    for pre in ("llama-bpe", "qwen2", "smollm"):
        write(out / pre, "gpt2", tokens, types=types, merges=merges,
              more=[("add_tokenizer_pre", pre), ("add_bos_token_id", len(tokens) - 2), ("add_eos_token_id", len(tokens) - 1)])


if __name__ == "__main__":
    main()
