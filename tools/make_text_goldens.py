#!/usr/bin/env python3
"""Writes tests/goldens/text/*.json with Hugging Face tokenizers: tools/make_text_goldens.py REPOSITORY

train.json: a small corpus and the merges HF's trainer finds on it. tokenizer.json: that tokenizer as HF saves it.
encode.json: tricky texts and their ids under that tokenizer, with and without special tokens recognised.
The corpus is made up here, so that nobody's text is copied.
"""
import json
import pathlib
import random
import sys

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

WORDS = ("the a of and to in is was that it for on as with by he she at from his her or had not are but they this have an which were "
         "been their one all there when who will more no if out so said what up its about into than them can only other new some "
         "could time these two may then do first any my now such like our over man me even most made after also did many before "
         "must through years where much your way well down should because each just those people how too little state good very "
         "make world still own see men work long get here between both life being under never day same another know while last "
         "might us great old year off come since against go came right used take three").split()


def corpus():
    generator = random.Random(11)
    documents = []
    for n in range(120):
        sentence = []
        for _ in range(40):
            word = generator.choice(WORDS[:int(2 ** generator.uniform(3, 7.2))])
            if generator.random() < 0.1:
                word += generator.choice(["ing", "ed", "ly", "'s", "ness", "ation"])
            if generator.random() < 0.05:
                word = str(generator.randrange(3000))
            sentence.append(word + ("," if generator.random() < 0.08 else ""))
        documents.append(" ".join(sentence).capitalize() + "." + ("\n" if n % 3 else " これは日本語の文です。また、漢字もあります。"))
    return documents


def tricky_texts():
    texts = ["", " ", "  ", "\n", "\t", "a", "Hello world", "the people's work", "I'll THE'S don't", "これは漢字です", "日本語の文です。",
             "😀 👨‍👩‍👧‍👦", "naïve café", "e\u0301", "12345 67", "x  y   z    ", "\r\n\r\n", "<|end|>", "a<|end|>b", " <|end|> the", "<|end|",
             "<|end|><|end|>", "<mask> x <mask>", "the<mask>the", "and  <strip>  of", "\u00a0x\u3000y", "\u0000\u0001\u007f", "ſ'ſ",
             "tool<word>", "a <word> b", "_<word>"]
    generator = random.Random(12)
    morsels = ["the", " and", "ing", "<|end|>", "<mask>", "<word>", "<strip>", " ", "  ", "\n", "漢", "です", "é", "'s", "1", "!", "😀", "\u0301"]
    texts += ["".join(generator.choices(morsels, k=generator.randrange(1, 12))) for _ in range(170)]
    return texts


def main():
    folder = pathlib.Path(sys.argv[1]) / "tests/goldens/text"
    folder.mkdir(parents=True, exist_ok=True)
    documents = corpus()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=700, min_frequency=2, special_tokens=["<|end|>", "<pad>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(documents, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    golden = {"vocabulary_size": 700, "min_frequency": 2, "special_tokens": ["<|end|>", "<pad>"], "documents": documents,
              "tokens": tokens, "merges": model["merges"]}
    (folder / "train.json").write_text(json.dumps(golden, ensure_ascii=False, indent=0) + "\n")

    tokenizer.add_special_tokens([AddedToken("<strip>", lstrip=True, rstrip=True, special=True)])
    tokenizer.add_tokens([AddedToken("<mask>", lstrip=True, normalized=False), AddedToken("<word>", single_word=True)])
    tokenizer.save(str(folder / "tokenizer.json"))
    rows = []
    for text in tricky_texts():
        tokenizer.encode_special_tokens = False
        recognised = tokenizer.encode(text).ids
        tokenizer.encode_special_tokens = True
        rows.append({"text": text, "recognised": recognised, "as_text": tokenizer.encode(text).ids})
    (folder / "encode.json").write_text(json.dumps(rows, ensure_ascii=False, indent=0) + "\n")


main()
