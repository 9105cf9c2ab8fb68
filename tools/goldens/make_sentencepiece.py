#!/usr/bin/env python3
"""Writes tests/goldens/sentencepiece/: tiny tokenizers of SentencePiece's kinds, and the ids that they give for nasty texts.

tools/goldens/make_sentencepiece.py OUT, with the packages sentencepiece and tokenizers. X.model are trained here and their ids
are the package sentencepiece's; X.json are put together from their pieces, as the files of model families are, and their
ids are those of the package tokenizers. expected.json holds the texts and, by file, a row of ids for each; for X.json
a second list is where special tokens in the text are recognised.
"""
import io
import json
import pathlib
import sys

import sentencepiece
import tokenizers

CORPUS = """
The river ran past the mill, and the miller's daughter counted the sacks: one, two, three, 10, 20, 300.
She wrote the numbers down with a brush (筆) and a little ink, then she read them aloud to the cat.
"Is that all?" asked the cat. "It is all there is," she said; "there will be more when the rain has come."
In the morning the rain came. The wheel turned, the stones turned, and the flour was white as snow.
for (int i = 0; i < 10; ++i) { total += sacks[i]; }  // the miller's own program
Der Müller zählte die Säcke noch einmal; über Nacht waren es mehr geworden. Süße Träume, schöne Mühle!
川は水車のそばを流れ、娘は袋を数えました。一つ、二つ、三つ。墨と筆で数を書き、猫に読んで聞かせました。
朝になると雨が降りました。水車が回り、石が回り、粉は雪のように白くなりました。これで全部ですか、と猫は聞きました。
Le meunier était content: l'été fut très long, et la rivière n'était jamais sèche. Où est le chat? Là-bas.
Мельник был рад: река не пересохла. Кошка спала на мешке. The cat slept on a sack of flour, and all was well.
""".strip().split("\n")

# A few rules as in nmt_nfkc, whose own table is too large to keep: full width, ligatures, odd blanks, long sources.
RULES = {**{chr(0xFF01 + i): chr(0x21 + i) for i in range(94)}, "\u3000": " ", "\t": " ", "\n": " ", "\u00a0": " ",
         "ﬁ": "fi", "㍻": "平成", "½": "1/2", "\u200b": "", "e\u0301": "é", "e\u0301\u0323": "ẹ\u0301", "…": "...",
         "ｶ\uff9e": "ガ", "ｶ": "カ"}

TEXTS = [
    "", " ", "  ", "a", " a", "a ", "  a  b   c ", "the miller's daughter", "The river ran past the mill.", "\n", "\n\n",
    "a\n\nb\n", "\t", "\r\n", "a\tb", "Müller zählte 1234 Säcke", "川は水車のそばを流れ", "猫 cat 猫cat", "😀👩‍👩‍👧‍👦🇯🇵", "e\u0301te\u0301", "é e\u0323\u0301",
    "ﬁｆｕｌｌ　ｗｉｄｔｈ㍻½…", "ｶ\uff9eｶ", "a\u00a0b\u2003c\u200bd", "▁", "a▁b", "▁▁a ▁", "\x00", "a\x00b", "\ufeffthe", "\ufffd", "ऩक़ क\u093c",
    "漢" * 40, "a" * 300, " " * 70, "ab" * 100, "the" * 50, "<s>", "</s>the cat", "the<s> cat</s>", "<unk>", "<0x0A>", "<sep>the <sep> cat<sep>",
    "mill<sep>", " <sep>", "x<mask>y", "for (int i = 0; i < 10; ++i) { }  // x", "<s>the", "aaa bbb  ccc", "ℝ∮∯", "Мельник рад",
    "été très long", "\U000e0001\U0010ffff", "the cat " * 40, "'s 't", "...", "12 345", "<un<unk>k>",
]


def train(path, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=model, hard_vocab_limit=False, num_threads=1, minloglevel=2,
        character_coverage=0.98, max_sentence_length=10000, **options)
    path.write_bytes(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def pieces_of(model):
    return [(model.id_to_piece(i), model.get_score(i)) for i in range(model.get_piece_size())]


def scored_merges(pieces):
    """All cuts of each piece into two others, best score first; of a piece, shorter left parts first."""
    scores = dict(pieces)
    by_score = sorted((-score, i, piece) for i, (piece, score) in enumerate(pieces) if i > 2 and not piece.startswith("<0x"))
    return [[piece[:cut], piece[cut:]] for _, _, piece in by_score for cut in range(1, len(piece))
            if piece[:cut] in scores and piece[cut:] in scores]


def added(id, content, special=True, normalized=False):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": normalized,
            "special": special}


def sequence(kind, *parts):
    return {"type": "Sequence", kind: list(parts)}


MARK = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
UNMARK = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
DECODER = [UNMARK, {"type": "ByteFallback"}, {"type": "Fuse"}]
STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}


def metaspace(scheme, split):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}


def write_json(path, model, normalizer, pre_tokenizer, decoder, more=(), normalized=False):
    file = {"version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [added(i, t, normalized=normalized) for i, t in enumerate(["<unk>", "<s>", "</s>"])] + list(more),
            "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": None, "decoder": decoder,
            "model": model}
    path.write_text(json.dumps(file, ensure_ascii=False, separators=(",", ":")) + "\n")
    return tokenizers.Tokenizer.from_file(str(path))


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    rules = out / "rules.tsv"
    rules.write_text("".join("%s\t%s\n" % (" ".join("%X" % ord(c) for c in source), " ".join("%X" % ord(c) for c in target))
                             for source, target in sorted(RULES.items())))
    llama = dict(model_type="bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
                 allow_whitespace_only_pieces=True, split_digits=True)
    models = {
        "bpe.model": train(out / "bpe.model", vocab_size=440, **llama),
        # As Gemma's: no blank in front, runs of blanks and newlines as pieces of their own.
        "bpe_runs.model": train(out / "bpe_runs.model", vocab_size=420, add_dummy_prefix=False,
                                user_defined_symbols=["▁▁", "▁▁▁", "▁▁▁▁", "\n", "\n\n", "<sep>"], **llama),
        "bpe_unknown.model": train(out / "bpe_unknown.model", vocab_size=180, model_type="bpe", normalization_rule_name="identity"),
        "unigram.model": train(out / "unigram.model", vocab_size=260, model_type="unigram", normalization_rule_tsv=str(rules)),
        "unigram_bytes.model": train(out / "unigram_bytes.model", vocab_size=480, model_type="unigram", byte_fallback=True,
                                     normalization_rule_name="identity", remove_extra_whitespaces=False,
                                     user_defined_symbols=["<sep>", "the mill"]),
    }
    rules.unlink()
    pieces = pieces_of(models["bpe.model"])
    merges = scored_merges(pieces)
    bpe = {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None,
           "fuse_unk": True, "byte_fallback": True, "ignore_merges": False, "vocab": {p: i for i, (p, _) in enumerate(pieces)},
           "merges": merges}
    bare = [(p, s) for p, s in pieces if not p.startswith("<0x")]
    no_bytes = {**bpe, "byte_fallback": False, "fuse_unk": False, "vocab": {p: i for i, (p, _) in enumerate(bare)}}
    unigram = {"type": "Unigram", "unk_id": 0, "vocab": pieces_of(models["unigram.model"]), "byte_fallback": False}
    sep = len(pieces)
    files = {
        "llama.json": write_json(out / "llama.json", bpe, sequence("normalizers", {"type": "Prepend", "prepend": "▁"}, MARK), None,
                                 sequence("decoders", *DECODER, STRIP), [added(sep, "<sep>", special=False)], normalized=True),
        "mistral.json": write_json(out / "mistral.json", bpe, None, metaspace("first", False),
                                   sequence("decoders", *DECODER, STRIP), [added(sep, "<sep>", False, True)]),
        "gemma.json": write_json(out / "gemma.json", {**bpe, "ignore_merges": True}, MARK,
                                 {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
                                 sequence("decoders", *DECODER)),
        "unknown.json": write_json(out / "unknown.json", no_bytes, {"type": "NFC"}, metaspace("always", True),
                                   metaspace("always", True), [added(len(bare), "<sep>")]),
        "t5.json": write_json(out / "t5.json", unigram, sequence(
            "normalizers", {"type": "Strip", "strip_left": False, "strip_right": True},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}), metaspace("always", True),
            metaspace("always", True), [added(len(unigram["vocab"]), "<mask>")]),
    }
    expected = {"texts": TEXTS}
    for name, model in models.items():
        expected[name] = [model.encode(text) for text in TEXTS]
    for name, model in files.items():
        rows = []
        for as_text in [True, False]:
            model.encode_special_tokens = as_text
            rows.append([model.encode(text, add_special_tokens=False).ids for text in TEXTS])
        expected[name] = rows
    (out / "expected.json").write_text(json.dumps(expected, ensure_ascii=True, separators=(",", ":")) + "\n")


main()
