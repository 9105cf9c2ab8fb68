"""fude info: one command to ask of any folder what it is."""

import json

from harness import FAILED, Case, fude, world


class Info(Case):
    def facts(self, path, *more):
        self.assertTrue(self.succeeds(fude("info", path, *more)).out)
        line, = self.succeeds(fude("info", path, "--json", *more)).lines()
        return line

    def test_model_and_checkpoint(self):
        model = self.facts(world().model)
        self.assertEqual((model["kind"], model["layers"], model["width"]), ("model", 2, 32))
        self.assertEqual(model["elements"], {"F32": model["parameters"]})
        self.assertEqual(model["tokenizer"]["entries"], model["vocabulary"])
        self.assertNotIn("tensors", model)
        self.assertEqual(len(self.facts(world().model, "--tensors")["tensors"]), model["tensors_in_file"])
        # Keys and values of two layers, one head of 16, in whole blocks of 256 positions, f32.
        self.assertEqual(self.facts(world().model, "--context", 10)["memory"]["cache_bytes"], 2 * 2 * 16 * 256 * 4)
        self.assertLess(self.facts(world().model, "--compute", "bf16")["memory"]["weights_bytes"], model["memory"]["weights_bytes"])
        checkpoint = self.facts(next(world().run.glob("checkpoint-*")))
        self.assertEqual((checkpoint["kind"], checkpoint["step"], checkpoint["layers"]), ("checkpoint", 4, 2))

    def test_run_tokenizer_shards_files(self):
        run = self.facts(world().run)
        self.assertEqual((run["kind"], run["steps"], run["finished"]), ("run", 4, True))
        tokenizer = self.facts(world().tokenizer)
        self.assertEqual((tokenizer["kind"], tokenizer["tokenizer"]["entries"]), ("tokenizer", 400))
        self.assertEqual(self.facts(world().tokenizer / "tokenizer.json"), tokenizer)
        shards = self.facts(world().shards)
        self.assertEqual(shards["tokenizer_hash"], tokenizer["tokenizer"]["hash"])
        self.assertEqual((shards["kind"], shards["complete"]), ("token shards", True))
        self.assertEqual(self.facts(world().model / "model.safetensors")["kind"], "safetensors file")

    def test_nothing_of_ours(self):
        self.fails(fude("info", self.folder / "none"), FAILED, "none")
        self.fails(fude("info", self.folder), FAILED, "expected a model")
        self.fails(fude("info", self.write("a.txt", "text")), FAILED, "expected a model")
        self.fails(fude("info", self.write("b.safetensors", b"\xff" * 30)), FAILED, "b.safetensors")
        self.write("shards.json", json.dumps({"complete": False}))
        self.assertFalse(self.facts(self.folder)["complete"])
