"""Files that are pipes and links, what --json says of what was written, and models and tokenizers that are there already."""

import os
import threading

from harness import FAILED, USAGE, Case, fude, sentences, world

SHAPE = ("--width", 32, "--layers", 1, "--heads", 2, "--kv-heads", 1, "--head-size", 16, "--feed-forward", 64)


class PipesAndLinks(Case):
    def pipe(self):
        path = self.folder / "pipe"
        os.mkfifo(path)
        return path

    def evaluate(self, save):
        return fude("eval", world().model, "--task", "arithmetic", "--questions", 2, "--max-tokens", 4, "--save", save)

    def test_answers_into_a_pipe(self):
        path, got = self.pipe(), []
        reader = threading.Thread(target=lambda: got.append(path.read_bytes()), daemon=True)
        reader.start()
        self.succeeds(self.evaluate(path))
        reader.join(60)
        self.assertEqual(got[0].count(b"\n"), 2)
        self.assertTrue(path.is_fifo())

    def test_answers_through_a_link(self):
        (self.folder / "far").mkdir()
        target, link = self.folder / "far/answers.jsonl", self.folder / "link"
        target.write_text("old")
        link.symlink_to("far/answers.jsonl")
        self.succeeds(self.evaluate(link))
        self.assertTrue(link.is_symlink())
        self.assertEqual(len(target.read_text().splitlines()), 2)
        self.assertEqual(os.listdir(self.folder / "far"), ["answers.jsonl"])

    def test_texts_from_a_pipe(self):
        text = "Alice lives in a boat."
        expected = self.succeeds(fude("score", world().model, "--text", text)).out
        self.assertEqual(self.succeeds(fude("score", world().model, "--in", "/dev/stdin", stdin=text.encode())).out, expected)
        answer = self.succeeds(fude("generate", world().model, "--prompt", "x", "--grammar", "/dev/stdin", stdin=b'root ::= "yes"'))
        self.assertIn("yes", answer.out)
        self.fails(fude("score", world().model, "--in", self.folder), FAILED, "expected a regular file", self.folder)

    def test_a_dash_is_standard_input(self):
        for command, text in (("score", "Alice lives in a boat."), ("embed", sentences(3)), ("perplexity", sentences(30))):
            piped = lambda *more: self.succeeds(fude(command, world().model, *more, stdin=text.encode())).out
            self.assertEqual(piped("--in", "-"), piped())

    def test_a_grammar_as_text(self):
        generate = ("generate", world().model, "--prompt", "x", "--grammar")
        self.assertEqual(self.succeeds(fude(*generate, 'root ::= "yes"')).out, "yes\n")
        self.fails(fude(*generate, "nowhere.gbnf"), FAILED, "nowhere.gbnf")


class Written(Case):
    def line(self, *arguments):
        line, = self.succeeds(fude(*arguments, "--json")).lines()
        return line

    def test_json(self):
        w = world()
        (self.folder / "text").mkdir()
        self.write("text/good.jsonl", '{"text": "%s"}\n' % sentences(100).replace("\n", " "))
        self.write("text/bad.jsonl", '{"body": 3}\n')
        made = self.line("tokenizer", self.folder / "text", "--out", self.folder / "tokenizer", "--vocabulary", 300, "--skip-bad")
        self.assertEqual((made["path"], made["vocabulary"], made["documents"]), (str(self.folder / "tokenizer"), 300, 1))
        self.assertEqual(sum(made["skipped"].values()), 1)
        shards = ("shards", self.folder / "text", "--tokenizer", self.folder / "tokenizer", "--out", self.folder / "shards", "--skip-bad")
        first, again = self.line(*shards), self.line(*shards)
        self.assertEqual((first["documents"], first["vocabulary"]), (1, 300))
        self.assertEqual([made["was_complete"] for made in (first, again)], [False, True])
        self.assertEqual(first["tokens"], again["tokens"])
        model = self.folder / "model"
        made = self.line("init", "--tokenizer", w.tokenizer, "--out", model, *SHAPE)
        self.assertEqual(made, {"path": str(model), "bytes": (model / "model.safetensors").stat().st_size})
        for command in (("convert", model, self.folder / "a.gguf"), ("quantize", model, self.folder / "b.gguf", "--type", "Q8_0")):
            made = self.line(*command)
            self.assertEqual(made, {"path": str(command[2]), "bytes": command[2].stat().st_size})
        made = self.line("convert", self.folder / "a.gguf", self.folder / "back")
        self.assertEqual(made["bytes"], (self.folder / "back/model.safetensors").stat().st_size)

    def test_a_folder_that_holds_a_model(self):
        file, folder = self.folder / "model.gguf", self.folder / "model"
        self.succeeds(fude("convert", world().model, file))
        folder.mkdir()
        self.write("model/chat_template.jinja", "old")
        self.succeeds(fude("convert", file, folder))
        self.assertFalse((folder / "chat_template.jinja").exists())  # it would win over the model's
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        for command in ((file, folder), (file, folder, "--type", "f16"), (world().model, folder)):
            self.fails(fude("convert", *command), FAILED, folder, "holds a model already")
        self.assertEqual({path.name: path.read_bytes() for path in folder.iterdir()}, before)

    def test_shards_with_the_tokenizer_of_a_model(self):
        w, file = world(), self.folder / "model.gguf"
        self.succeeds(fude("convert", w.model, file))
        tokens = {self.line("shards", w.text, "--tokenizer", tokenizer, "--out", self.folder / name)["tokens"]
                  for name, tokenizer in (("a", w.tokenizer), ("b", w.tokenizer / "tokenizer.json"), ("c", w.model), ("d", file))}
        self.assertEqual(len(tokens), 1)
        cache = {"XDG_CACHE_HOME": str(self.folder)}
        self.fails(fude("shards", w.text, "--tokenizer", "smollm2", "--out", self.folder / "e", environment=cache), FAILED, "fude pull smollm2")
        self.fails(fude("shards", w.text, "--tokenizer", self.folder / "none", "--out", self.folder / "e"), FAILED, "none")
        self.assertFalse((self.folder / "e").exists())

    def test_a_folder_that_holds_a_tokenizer(self):
        text, folder = world().text, self.folder / "tokenizer"
        train = lambda *more, text=text: fude("tokenizer", text, "--out", folder, "--vocabulary", *more)
        self.succeeds(train(300))
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        for command, word in ((train(310), "'vocabulary' was 300, now it is 310"), (train(300, "--pattern", "gpt2"), "'pattern' was"),
                              (train(300, text=text / "0.txt"), "'corpus' was")):
            self.fails(command, FAILED, folder, word, "another --out")
        self.succeeds(train(300))
        self.assertEqual({path.name: path.read_bytes() for path in folder.iterdir()}, before)
        for name in before:
            if name != "tokenizer_settings.json":
                (folder / name).unlink()  # as if it was killed before them
        self.succeeds(train(300))
        self.assertEqual({path.name: path.read_bytes() for path in folder.iterdir()}, before)
        (folder / "tokenizer_settings.json").unlink()
        self.fails(train(300), FAILED, folder, "holds a tokenizer already")

    def test_a_pattern_of_ones_own(self):
        train = lambda pattern: fude("tokenizer", world().text, "--out", self.folder / "tokenizer", "--vocabulary", 300, "--pattern", pattern)
        self.fails(train("o200"), FAILED, "o200k or a regular expression", "'o200'")
        self.fails(train("(ab"), FAILED, "the pattern does not compile")
        self.succeeds(train(r"\w+|\W"))
        self.assertEqual(self.line("info", self.folder / "tokenizer")["tokenizer"]["split"], [r"\w+|\W"])

    def test_rank_files(self):
        ranks = self.folder / "own.tiktoken"
        self.succeeds(fude("tokenizer", world().text, "--out", self.folder / "tokenizer", "--vocabulary", 300, "--ranks", ranks))
        own, same = self.line("info", self.folder / "tokenizer")["tokenizer"], self.line("info", ranks, "--pattern", "o200k")["tokenizer"]
        for fact in ("entries", "merges", "split"):
            self.assertEqual(own[fact], same[fact])
        self.assertEqual(len(ranks.read_text().splitlines()), 300 - len(own["special"]) - 2)  # and two that mark thoughts
        for command in (("shards", world().text), ("init",), ("train", "--data", world().shards), ("info", ranks)):
            tokenizer = () if command[0] == "info" else ("--tokenizer", ranks, "--out", self.folder / "out")
            self.fails(fude(*command, *tokenizer), FAILED, "how text is cut", "o200k_base.tiktoken", "got own.tiktoken")


class Numbers(Case):
    def test_no_number_is_taken_for_another(self):
        m = world().model
        for option, text, words in [
            ("--seed", "010", "without zeros in front, got 010"),
            ("--seed", "-1", "from 0 on, got -1"),
            ("--seed", "18446744073709551616", "of 64 bits"),
            ("--threads", "010", "without zeros in front"),
            ("--max-tokens", "010", "without zeros in front"),
            ("--max-tokens", "09", "09"),
            ("--max-tokens", "9223372036854775808", "of 64 bits"),
            ("--top-k", "-007", "-007"),
        ]:
            with self.subTest(option=option, text=text):
                self.fails(fude("generate", m, "--prompt", "x", option, text), USAGE, option, words)
        for seed in ("0", "10", "18446744073709551615"):
            self.succeeds(fude("generate", m, "--prompt", "x", "--max-tokens", 1, "--seed", seed))
        self.fails(fude("train", "--data", "x", "--out", self.folder, "--steps", "010"), USAGE, "--steps", "010")

    def test_of_a_configuration_file_are_named_by_its_line(self):
        for text, words in [
            ("[serve]\nport = 99999\n", [":2: 'port' in [serve]", "99999"]),
            ("# first\nseed = -1\n", [":2: 'seed'", "from 0 on"]),
            ("[train]\nrows = 1\n[sft]\nrows = 0\n", [":4: 'rows' in [sft]", "from 1 on"]),
        ]:
            with self.subTest(text=text):
                path = self.write("fude.toml", text)
                self.fails(fude("info", world().model, "--config", path), USAGE, path, *words)
        # What is wrong on the command line is not the file's mistake.
        path = self.write("fude.toml", "[sft]\nrows = 4\n")
        result = self.fails(fude("train", "--config", path, "--data", "x", "--out", self.folder, "--rows", 0), USAGE, "--rows")
        self.assertNotIn("[config]", result.err)

    def test_flags_win_over_what_they_exclude(self):
        path = self.write("fude.toml", '[generate]\nregex = "a"\nstop = []\nmax-tokens = 2\n')
        grammar = self.write("grammar", 'root ::= "b"')
        answer = self.succeeds(fude("--config", path, "generate", world().model, "--prompt", "x", "--grammar", grammar)).out
        self.assertEqual(set(answer.strip()), {"b"})
        self.assertEqual(set(self.succeeds(fude("--config", path, "generate", world().model, "--prompt", "x")).out.strip()), {"a"})
        path.write_text('[generate]\nregex = "a+"\ngrammar = "x"\n')
        self.fails(fude("--config", path, "generate", world().model, "--prompt", "x"), USAGE, "excludes")
