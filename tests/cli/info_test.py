"""fude info: one command to ask of any folder what it is."""

import base64
import json
import shutil
import struct

from harness import FAILED, Case, fude, world


class Info(Case):
    def facts(self, path, *more):
        self.assertTrue(self.succeeds(fude("info", path, *more)).out)
        line, = self.succeeds(fude("info", path, "--json", *more)).lines()
        return line

    def test_model(self):
        model = self.facts(world().model)
        self.assertEqual((model["kind"], model["layers"], model["width"]), ("model", 2, 32))
        self.assertEqual(model["elements"], {"F32": model["parameters"]})
        self.assertEqual(model["tokenizer"]["entries"], model["vocabulary"])
        self.assertEqual((model["positions"]["rope_theta"], model["ties_head"]), (10000, True))
        self.assertNotIn("tensors", model)
        self.assertEqual(len(self.facts(world().model, "--tensors")["tensors"]), model["tensors_in_file"])
        copy = self.folder / "copy"
        shutil.copytree(world().model, copy)
        shutil.copy(copy / "model.safetensors", copy / "other.safetensors")  # not the model's
        self.assertEqual(self.facts(copy), model)
        # Keys and values of two layers, one head of 16, in whole pages of 32 positions, f32.
        self.assertEqual(self.facts(world().model, "--context", 10)["memory"]["cache_bytes"], 2 * 2 * 16 * 32 * 4)
        self.assertLess(self.facts(world().model, "--compute", "bf16")["memory"]["weights_bytes"], model["memory"]["weights_bytes"])

    def test_what_a_file_says_is_not_obeyed(self):
        name = b"a\x1b]0;title\x07\xc2\x9bb\xc3\xa9"
        word = lambda text: struct.pack("<Q", len(text)) + text
        gguf = b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + word(b"general.type") + struct.pack("<I", 8) + word(b"adapter")
        path = self.write("a.gguf", gguf + word(b"general.name") + struct.pack("<I", 8) + word(name))
        said = self.succeeds(fude("info", path)).out
        self.assertIn("a?]0;title??b\u00e9", said)
        self.assertFalse(set("\x1b\x07\x9b") & set(said))

    def test_checkpoint(self):
        folder = next(world().run.glob("checkpoint-*"))
        checkpoint = self.facts(folder)
        self.assertEqual((checkpoint["kind"], checkpoint["step"], checkpoint["layers"]), ("checkpoint", 4, 2))
        # Weights and two moments of each, in whole panels.
        self.assertGreaterEqual(checkpoint["state"]["tensor_bytes"], 3 * 4 * checkpoint["parameters"])
        self.assertEqual(checkpoint["tokens"], self.facts(world().run)["tokens"])
        self.assertIn("text", checkpoint["identity"])
        self.assertEqual(self.facts(folder / "state.fude"), checkpoint)
        damaged = self.folder / "state.fude"
        damaged.write_bytes((folder / "state.fude").read_bytes()[:-100])
        self.fails(fude("info", damaged), FAILED, "state.fude", "cut short")

    def test_run(self):
        run = self.facts(world().run)
        self.assertEqual((run["kind"], run["step"], run["finished"]), ("run", 4, True))
        self.assertEqual(run["checkpoints"], sorted(path.name for path in world().run.glob("checkpoint-*")))
        self.assertGreater(run["tokens_per_second"], 0)
        self.assertEqual(self.facts(world().run / "metrics.jsonl"), run)
        lines = [{"step": 1, "loss": 2.5, "validation": {"ja": {"loss": 2.0, "bits_per_byte": 1.5}}, "tokens": 10, "seconds": 1.0},
                 {"step": 2, "loss": None, "tokens": 20, "seconds": 1.0}]
        metrics = self.write("metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines) + '{"step":3,"lo')
        run = self.facts(self.folder)
        self.assertEqual((run["step"], run["loss"], run["finished"], run["checkpoints"]), (2, None, False, []))
        self.assertEqual(run["validation"], {"step": 1, "ja": {"loss": 2.0, "bits_per_byte": 1.5}})
        for name, last in (("model", "config.json"), ("scorer", "scorer.safetensors"), ("adapter", "adapter_config.json")):
            (self.folder / name).mkdir()
            self.assertNotIn(name, self.facts(self.folder))
            (self.folder / name / last).write_text("{}")
            run = self.facts(self.folder)
            self.assertEqual((run["finished"], run[name]), (True, str(self.folder / name)))
        metrics.write_text("{}\n")
        self.fails(fude("info", self.folder), FAILED, "metrics.jsonl:1", "step")

    def test_tokenizer(self):
        tokenizer = self.facts(world().tokenizer)
        self.assertEqual((tokenizer["kind"], tokenizer["tokenizer"]["entries"]), ("tokenizer", 400))
        self.assertEqual(tokenizer["tokenizer"]["split"], ["o200k"])
        self.assertIn("<|endoftext|>", tokenizer["tokenizer"]["special"])
        for file in ("tokenizer.json", "tokenizer_config.json"):
            self.assertEqual(self.facts(world().tokenizer / file), tokenizer)
        self.fails(fude("info", self.write("tokenizer.json", "{}")), FAILED, "tokenizer.json", "model")
        bytes_only = "".join(f"{base64.b64encode(bytes([i])).decode()} {i}\n" for i in range(256))
        ranks = self.write("own.tiktoken", bytes_only)
        self.fails(fude("info", ranks), FAILED, "own.tiktoken", "pattern")
        self.assertEqual(self.facts(ranks, "--pattern", "gpt2")["tokenizer"]["entries"], 256)
        self.fails(fude("info", world().tokenizer, "--pattern", "gpt2"), FAILED, "--pattern is for .tiktoken files")
        self.fails(fude("info", self.write("own.tiktoken", "!!!! 1\n"), "--pattern", "gpt2"), FAILED, "own.tiktoken:1")

    def test_shards(self):
        shards = self.facts(world().shards)
        self.assertEqual(shards["tokenizer_hash"], self.facts(world().tokenizer)["tokenizer"]["hash"])
        self.assertEqual((shards["kind"], shards["complete"], shards["shards"]), ("token shards", True, 1))
        self.assertEqual(shards["corpus"]["documents"], shards["documents"])
        self.assertEqual(self.facts(world().shards / "shards.json"), shards)
        shard = self.facts(world().shards / "00000.shard")
        self.assertEqual((shard["kind"], shard["tokens"]), ("token shard", shards["tokens"]))
        self.fails(fude("info", self.write("00000.shard", b"FUDESHRD")), FAILED, "00000.shard")

    def test_languages_of_shards(self):
        text = self.write("text.jsonl", "".join(json.dumps({"text": text, **more}) + "\n" for text, more in
                                                [("one", {"lang": "en"}), ("two", {"lang": "en"}), ("三", {"lang": "ja"}), ("4", {})]))
        self.succeeds(fude("shards", text, "--tokenizer", world().tokenizer, "--out", self.folder / "set"))
        languages = self.facts(self.folder / "set")["languages"]
        self.assertEqual({name: counts["documents"] for name, counts in languages.items()}, {"(none)": 1, "en": 2, "ja": 1})

    def test_unfinished_shards(self):
        manifest = json.loads((world().shards / "shards.json").read_text())
        self.write("shards.json", json.dumps({**manifest, "complete": False}))
        shards = self.facts(self.folder)
        self.assertEqual((shards["complete"], shards["tokens"]), (False, manifest["shards"][0]["tokens"]))
        self.write("shards.json", json.dumps({"complete": False}))
        self.fails(fude("info", self.folder), FAILED, "shards.json", "list of shards")
        self.write("shards.json", json.dumps(manifest))  # says complete, and the shard is not there
        self.fails(fude("info", self.folder), FAILED, "00000.shard")

    def test_safetensors(self):
        file = self.facts(world().model / "model.safetensors")
        self.assertEqual((file["kind"], len(file["tensors"])), ("safetensors file", file["tensors_in_file"]))

    def test_nothing_of_ours(self):
        self.fails(fude("info", self.folder / "none"), FAILED, "none")
        self.fails(fude("info", self.folder), FAILED, "expected a model")
        self.fails(fude("info", self.write("a.txt", "text")), FAILED, "expected a model")
        self.fails(fude("info", self.write("b.safetensors", b"\xff" * 30)), FAILED, "b.safetensors")
        self.fails(fude("info", self.write("config.json", "{}")), FAILED, "config.json", "model_type")
        self.fails(fude("info", self.write("config.json", '{"model_type": "bert"}')), FAILED, "bert", "qwen3")
