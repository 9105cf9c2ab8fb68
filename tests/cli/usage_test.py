"""Wrong command lines and configuration files: what was meant is named, and nothing runs."""

import os
import re
import socket
import unittest

from harness import DONE, FAILED, USAGE, Case, fude, world

COMMANDS = re.findall(r"^  (\w+) ", fude("--help").out.split("Subcommands:")[1].split("\n\n")[0], re.MULTILINE)


class Help(Case):
    def test_every_command_has_one(self):
        self.assertIn("train", COMMANDS)
        for command in COMMANDS:
            page = self.succeeds(fude(command, "--help")).out
            for words in ("--threads", "--seed", "--json", "--config", "Exit codes:"):
                self.assertIn(words, page, command)
            for line in page.splitlines():
                self.assertNotRegex(line, r"^  --?\w[\w-]*( [A-Z]+)?$", f"{command}: an option without words: {line}")

    def test_commands_within_a_command_have_a_line_each(self):
        commands = self.succeeds(fude("bench", "--help")).out.split("Subcommands:")[1].split("\n\n")[0]
        self.assertEqual(len(commands.strip().splitlines()), 5, commands)

    def test_help_as_a_command(self):
        for command in ((), ("chat",), ("bench", "gemm")):
            self.assertEqual(self.succeeds(fude("help", *command)).out, self.succeeds(fude(*command, "--help")).out)
        self.fails(fude("help", "caht"), USAGE, "unknown command 'caht'", "did you mean 'chat'?")
        self.fails(fude("caht", "--help"), USAGE, "unknown command 'caht'", "did you mean 'chat'?")

    def test_version(self):
        self.assertRegex(self.succeeds(fude("--version")).out, r"^fude \d+\.\d+\.\d+\n$")


class CommandLine(Case):
    def test_no_command(self):
        self.fails(fude(), USAGE, "expected a command")

    def test_unknown_command(self):
        self.fails(fude("trian"), USAGE, "'trian'", "did you mean 'train'?")
        self.fails(fude("quux"), USAGE, "'quux'", "fude --help")

    def test_unknown_option(self):
        out = self.folder / "run"
        self.fails(fude("train", "--data", "x", "--out", out, "--widht", 64), USAGE, "'--widht'", "did you mean '--width'?", "fude train --help")
        self.fails(fude("train", "--data", "x", "--out", out, "--thread=2"), USAGE, "'--thread'", "did you mean '--threads'?")
        self.fails(fude("info", "x", "--frobnicate"), USAGE, "'--frobnicate'")
        self.assertFalse(out.exists())

    def test_a_text_behind_the_model(self):
        self.fails(fude("generate", "smollm2", "Once upon"), USAGE, "'Once upon'", "a text goes to --prompt")
        self.fails(fude("score", "smollm2", "Once upon"), USAGE, "a text goes to --text, a file goes to --in")
        for command in ("embed", "perplexity"):
            self.fails(fude(command, "smollm2", "a.txt"), USAGE, "'a.txt'; a file goes to --in (")
        self.assertNotIn("goes to", self.fails(fude("chat", "smollm2", "hello"), USAGE, "'hello'").err)

    def test_arguments_that_are_missing(self):
        self.fails(fude("ask", "What is 2+2?"), USAGE, "question is required: fude ask MODEL QUESTION (")
        self.fails(fude("convert", "a"), USAGE, "out is required: fude convert IN OUT (")
        self.fails(fude("generate", "--prompt", "x"), USAGE, "model is required: fude generate MODEL (")

    def test_missing_and_wrong_values(self):
        self.fails(fude(*world().training(self.folder), "--steps", 5), USAGE, "--steps is given more than once")
        self.fails(fude("train", "--out", self.folder), USAGE, "--data", "required")
        self.fails(fude("train", "--data", "x", "--out", self.folder, "--steps", "many"), USAGE, "--steps", "many")
        self.fails(fude("train", "--data", "x", "--out", self.folder, "--threads", 9999), USAGE, "--threads", "9999")
        self.fails(fude("info", "a", "b"), USAGE, "'b'")
        self.fails(fude("generate", "x", "--max-tokens", 0), USAGE, "--max-tokens", "a whole number from 1 on, got 0")
        self.fails(fude("train", "--data", "x", "--out", self.folder, "--rows", 0), USAGE, "--rows")
        self.fails(fude("train", "--data", "x", "--out", self.folder), FAILED, "--tokenizer")
        for option, value in [("--gradient-slots", 0), ("--context", 0), ("--context", -5), ("--keep", -1), ("--save-every", -1),
                              ("--validate-every", -1), ("--weight-decay", -0.1), ("--weight-decay", "nan"), ("--clip", "nan")]:
            self.fails(fude("train", "--data", "x", "--tokenizer", "x", "--out", self.folder, option, value), USAGE, option, value)
        for option in ("--width", "--layers", "--context"):
            self.fails(fude("train", "--data", "x", "--model", "x", "--out", self.folder, option, 32), USAGE, option, "--model")
        self.fails(fude("chat", self.folder / "nowhere"), FAILED, "no file or folder", "nowhere", "smollm2")
        self.assertNotIn("did you mean", self.fails(fude("chat", self.folder), FAILED, "no config.json").err)
        self.fails(fude("generate", world().run, "--prompt", "x"), FAILED, "no config.json", f"did you mean {world().model}?")

    def test_sampling_and_contexts_have_ranges(self):
        wrong = [("--temperature", -1), ("--temperature", "nan"), ("--temperature", 101), ("--top-k", -3), ("--top-p", 1.5), ("--top-p", -0.1),
                 ("--min-p", 2), ("--min-p", "nan"), ("--repetition-penalty", 0), ("--presence-penalty", -101), ("--frequency-penalty", 101),
                 ("--context", -1)]
        for command in (("generate", world().model, "--prompt", "x"), ("chat", world().model)):
            for option, value in wrong:
                self.fails(fude(*command, option, value), USAGE, option, "expected a", f"got {value}")
        task = ("--task", "arithmetic", "--out", self.folder / "out")
        for command in (("ask", world().model, "x"), ("eval", world().model, *task[:2]), ("rl", world().model, *task), ("scorer", world().model, *task)):
            self.fails(fude(*command, "--temperature", -1), USAGE, "--temperature", "got -1")
        self.assertFalse((self.folder / "out").exists())

    def test_types_are_listed(self):
        self.fails(fude("quantize", world().model, self.folder / "out.gguf", "--type", "Q3_K"), USAGE, "--type", "Q4_K_M", "'Q3_K'")

    def test_values_of_another_kind(self):
        self.fails(fude("serve", "--port", 99999), USAGE, "--port: expected a whole number from 0 to 65535, got 99999")
        self.fails(fude("serve", "--port", "80x"), USAGE, "--port", "got 80x")
        self.fails(fude("tasks", "--count", 0), USAGE, "--count: expected a whole number from 1 to 1000000, got 0")
        self.fails(fude("tasks", "--seed", "abc"), USAGE, "--seed: expected a whole number, got abc")
        self.fails(fude("generate", "x", "--temperature", "hot"), USAGE, "--temperature: expected a number from 0 to 100, got hot")
        self.fails(fude("ask", "x", "y", "--thinking", "maybe"), USAGE, "--thinking: expected true or false, got maybe")
        config = self.write("fude.toml", "[serve]\nport = 99999\n")
        self.fails(fude("serve", "--config", config), USAGE, "fude.toml:2", "from 0 to 65535, got 99999")

    def test_a_part_in_place_of_its_model(self):
        for name in ("model.safetensors", "tokenizer.json", "config.json"):
            self.fails(fude("generate", world().model / name, "--prompt", "x"), FAILED, name, "give its folder")
            self.fails(fude("chat", world().model, "--draft-model", world().model / name, "--drafts", 2, stdin=b"x\n"), FAILED, name, "give its folder")
        self.fails(fude("info", self.write("generation_config.json", "{}")), FAILED, "generation_config.json: expected a model")

    def test_where_something_else_is(self):
        self.fails(fude("tasks", "nope"), FAILED, "'nope'", "`fude tasks` lists them")
        self.fails(fude("convert", world().model, self.folder / "no/x/c.gguf"), FAILED, f"there is no folder {self.folder}/no/x")

    def test_where_a_server_cannot_be(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.fails(fude("serve", world().model, "--port", port), FAILED, f"127.0.0.1:{port}", "in use", "--port", "0 for any")
        self.fails(fude("serve", world().model, "--host", "nowhere.invalid", "--port", 0), FAILED, "a host that has an address", "nowhere.invalid")
        self.fails(fude("serve", world().model, "--host", "0.0.0.0", "--port", 0), USAGE, "--api-key")
        self.fails(fude("serve", world().model, "--cache", 99999999999), USAGE, "--cache: expected a whole number from 0 to 2147483616, got")

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_a_folder_that_may_not_be_read(self):
        closed = self.folder / "closed"
        closed.mkdir(mode=0)
        self.addCleanup(closed.chmod, 0o700)
        self.fails(fude("chat", closed), FAILED, "cannot be read", "Permission denied")

    def test_rows_of_a_benchmark_by_any_part_of_their_name(self):
        grammar = ("bench", "grammar", "--quick", "--rounds", 1, "--tokenizer", world().tokenizer, "--json")
        names = lambda *words: [line["name"] for line in self.succeeds(fude(*grammar, *words)).lines()]
        self.assertEqual(names("--filter", "people cold"), ["people cold p50", "people cold p99"])
        self.assertEqual(len(names("--filter", "people warm", "--filter", "tree")), 6)
        self.fails(fude("bench", "--quick", "--filter", "depth", "generate", world().model), FAILED, "'depth'")

    def test_rows_of_a_benchmark_that_are_not_there(self):
        result = self.fails(fude("bench", "--quick", "--filter", "zzz", "--filter", "yyy", "gemm"), FAILED, "'zzz' or 'yyy'", "fude bench gemm --help")
        self.assertEqual(result.out, "")

    def test_a_benchmark_of_a_model_that_is_not_there(self):
        self.assertEqual(self.fails(fude("bench", "--quick", "generate", "nope"), FAILED, "no file or folder nope").out, "")

    def test_what_cannot_be_is_said_before_the_work(self):
        out = self.folder / "life"
        self.fails(fude("life", "--out", out, "--questions", 10**6), FAILED, "held-out questions")
        self.assertFalse(out.exists())

    def test_a_life_of_a_text_that_is_not_there(self):
        out = self.folder / "life"
        self.fails(fude("life", self.folder / "nope", "--out", out), FAILED, "nope")
        self.assertFalse(out.exists())

    def test_a_life_as_json(self):
        small = ["life", "--out", self.folder / "life", "--steps", 1, "--chats", 3, "--tries", 1, "--questions", 2, "--vocabulary", 300, "--documents", 40]
        lines = self.succeeds(fude(*small, "--json")).lines()
        self.assertEqual([line["stage"] for line in lines if "stage" in line], ["text", "tokenizer", "read", "taught", "tried", "judge"])
        self.assertEqual([line["generation"] for line in lines if "generation" in line], ["untrained", "read to the end", "taught", "tried"])
        self.assertEqual([line["problems"]["questions"] for line in lines if "way" in line], [2] * 6)

    def test_a_life_that_was_begun_with_other_settings(self):
        out = self.folder / "life"
        small = ["life", "--out", out, "--no-chat", "--steps", 1, "--chats", 3, "--tries", 1, "--questions", 0, "--vocabulary", 300]
        self.succeeds(fude(*small, "--documents", 40))
        corpus = (out / "corpus.jsonl").read_bytes()
        self.fails(fude(*small, "--documents", 41), FAILED, out, '"documents":40', '"documents":41', "--out")
        self.fails(fude(*small, "--documents", 40, "--seed", 5), FAILED, out, '"seed":5')
        self.fails(fude(*small, world().text), FAILED, out, world().text)
        self.assertEqual((out / "corpus.jsonl").read_bytes(), corpus)
        self.succeeds(fude(*small, "--documents", 40))

    def test_shards_that_are_complete_are_said_to_be(self):
        again = self.succeeds(fude("shards", world().text, "--tokenizer", world().tokenizer, "--out", world().shards))
        self.assertRegex(again.err, rf"^{world().shards}: \d+ documents, \d+ tokens, complete already\n$")

    def test_shards_of_a_text_that_was_changed_are_refused(self):
        text = self.write("text.txt", "One text of this length.\n" * 9)
        shards = ["shards", text, "--tokenizer", world().tokenizer, "--out", self.folder / "shards"]
        self.succeeds(fude(*shards))
        text.write_text("Two text of this length.\n" * 9)
        self.fails(fude(*shards), FAILED, "other work", "'corpus' differs")


class ConfigFile(Case):
    def config(self, text):
        return self.write("fude.toml", text)

    def test_sections_and_flags(self):
        w = world()
        model = {"width": 32, "layers": 1, "heads": 2, "kv-heads": 1, "head_size": 16, "feed_forward": 64}
        lines = "\n".join(f"{k} = {v}" for k, v in model.items())
        path = self.config(f'# a project\nthreads = 1\nseed = 7\n[tokenizer]\nvocabulary = 300\n[train]\ndata = ["{w.shards}"]\n'
                           f'tokenizer = "{w.tokenizer}"\nsteps = 3\nlearning_rate = 1e-3\nconcat = true\nrow-tokens = 32\nrows = 2\n{lines}\n')
        self.succeeds(fude("train", "--config", path, "--out", self.folder / "run", "--steps", 2))
        self.assertEqual(len((self.folder / "run/metrics.jsonl").read_text().splitlines()), 2)  # the flag won
        self.assertEqual(fude("info", self.folder / "run/model", "--json").lines()[0]["layers"], 1)

    def test_mistakes(self):
        for text, words in [
            ("[train]\nwidht = 64\n", [":2:", "'widht' in [train]", "did you mean 'width'?"]),
            ("thread = 2\n", [":1:", "'thread'", "did you mean 'threads'?"]),
            ("[train]\nthreads = 1\n", [":2:", "'threads' in [train]", "the top of the file"]),
            ("width = 2\n", ["'width'", "[train]"]),
            ("[trian]\nwidth = 2\n", ["[trian]", "did you mean 'train'?"]),
            ("[train]\nwidth = \"wide\"\n", [":2:", "'width'", "expected a whole number", "string"]),
            ("[train]\nwidth = 1.5\n", ["expected a whole number"]),
            ("[train]\nwidth = [1, 2]\n", ["expected one value"]),
            ("[train]\nconcat = 1\n", ["expected true or false"]),
            ("[train]\ndata = [3]\n", ["'data'", "expected a string"]),
            ("[train\n", [":1:"]),
            ("[info]\nconfig = \"x\"\n", ["'config'"]),
            ("a" * 3_000_000, ["the limit"]),
            (b"\xff\xfe\x00", []),
        ]:
            with self.subTest(text=text[:40]):
                self.fails(fude("info", world().model, "--config", self.config(text)), USAGE, *words)
        self.fails(fude("info", "x", "--config", self.folder / "none.toml"), USAGE, "none.toml")
        self.fails(fude("info", "x", "--config", self.folder), USAGE, self.folder)

    def test_values_as_one_would_write_them(self):
        text = '[eval]\ntask = "arithmetic"\nthinking = true\ndifficulty = 1\nquestions = 2\nmax-tokens = 4\n'
        self.succeeds(fude("--config", self.config(text), "eval", world().model))

    def test_empty_file(self):
        self.assertEqual(fude("info", world().model, "--config", self.config("")).code, DONE)
