#!/usr/bin/env python3
"""Writes tests/goldens/text/ranks.json: ids of tricky texts by tiktoken, for the vocabularies of tools/fetch_ranks.py.

tools/make_rank_goldens.py REPOSITORY RANKS_DIR; needs tokenizers too, for Qwen3.
"""
import json
import pathlib
import random
import sys

from tokenizers import Tokenizer

from compare_tiktoken import load

MORSELS = ["the", " and", "'s", "'S", "'re", "'LL", "'ſ", "ſ", "'", " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u0085", "/", "!",
           "_", "0", "12", "1234", "½", "٣", "Ⅷ", "a", "Z", "Ab", "hello", "World", "HELLO", "é", "É", "ǅ", "ʰ", "\u0301", "ि", "漢",
           "字", "あ", "ア", "ー", "한", "국", "Ж", "ж", "א", "😀", "👨\u200d👩", "\ufe0f", "\ufeff", "<|endoftext|>", "ﬁ", "e\u0301",
           "\u1112\u1161\u11ab", "int main() {", "https://x.org/a?b=c", "🇯🇵", "ไทย", "हिन्दी"]
TEXTS = ["", " ", "\n", "a" * 300, " " * 200, "Hello, world! It's 2024.", "    indented\n\tcode\r\n\r\nend  ", "THE'S DON'T we'Ll",
         "日本語の文章です。カタカナ、ひらがな、漢字。", "한국어 문장입니다.", "中文句子，標點。", "Größe, naïve café, Ærø", "1234567890 3.14159",
         "def f(x):\n    return x  # comment\n", "$\\sum_{i=0}^n i^2$", "....!!!???", "\u0000\u0001\u007f", "​zero​width", "ÀÉÎõü ẞß"]


def main():
    generator = random.Random(21)
    texts = TEXTS + ["".join(generator.choices(MORSELS, k=generator.randrange(1, 14))) for _ in range(181)]
    golden = {"texts": texts}
    for name in ["gpt2", "cl100k_base", "o200k_base"]:
        encoding = load(sys.argv[2], name)
        golden[name] = [encoding.encode_ordinary(text) for text in texts]
    qwen = Tokenizer.from_file(str(pathlib.Path(sys.argv[2]) / "qwen3/tokenizer.json"))
    qwen.encode_special_tokens = True
    golden["qwen3"] = [qwen.encode(text, add_special_tokens=False).ids for text in texts]
    path = pathlib.Path(sys.argv[1]) / "tests/goldens/text/ranks.json"
    path.write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")).replace('],[', '],\n[').replace('","', '",\n"') + "\n")


main()
