"""What options of `fude train` do to the weights, what its report tells, and going on from a model."""

import json
import re
import shutil

from harness import FAILED, USAGE, Case, fude, world


def tensor(path, name):
    """The bytes of a tensor in a safetensors file."""
    data = path.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    first, last = json.loads(data[8:begin])[name]["data_offsets"]
    return data[begin + first:begin + last]


class WeightDecay(Case):
    def test_it_is_also_that_of_muon(self):
        """In the first step alone: later ones differ by what the other matrices became."""
        weights = set()
        for decay in (0, 0.5):
            out = self.folder / str(decay)
            self.succeeds(fude(*world().training(out, steps=1, weight_decay=decay), "--muon"))
            weights.add(tensor(out / "model/model.safetensors", "model.layers.0.mlp.down_proj.weight"))
        self.assertEqual(len(weights), 2)


class RandomWeights(Case):
    """Models of each family that may begin with them."""

    def test_they_are_trained_saved_and_gone_on_with(self):
        others = {"qwen3": (), "qwen2": ("--untied-head",), "llama": ("--rope-theta", 500000, "--untied-head"), "gpt2": ()}
        for family, more in others.items():
            with self.subTest(family=family):
                run = self.folder / family
                train = lambda: self.succeeds(fude(*world().training(run, family=family, kv_heads=2, save_every=2), *more))
                train()
                weights, config = run / "model/model.safetensors", json.loads((run / "model/config.json").read_text())
                self.assertEqual(config["model_type"], family)
                self.assertEqual(config["tie_word_embeddings"], "--untied-head" not in more)
                self.assertEqual(config.get("rope_theta"), {"llama": 500000, "gpt2": None}.get(family, 10000))
                whole = weights.read_bytes()
                shutil.rmtree(run / "model"), shutil.rmtree(run / "checkpoint-00000004")
                self.assertIn("going on after step 2", train().err)
                self.assertEqual(weights.read_bytes(), whole)
                self.succeeds(fude("generate", run / "model", "--prompt", "Alice", "--max-tokens", 3))
                facts, = self.succeeds(fude("info", run / "model", "--json")).lines()
                self.assertEqual((facts["family"], facts["key_value_heads"]), (family, 2))

    def test_what_the_family_has_otherwise_is_refused(self):
        train = lambda **options: fude(*world().training(self.folder / "run", **options))
        self.fails(train(family="mamba"), USAGE, "--family", "mamba", "gpt2")
        self.fails(train(family="gemma3_text"), USAGE, "--family")
        self.fails(train(family="gpt2"), FAILED, "expected --kv-heads 2", "gpt2, got 1")
        self.fails(train(family="gpt2", kv_heads=2, head_size=32), FAILED, "expected --head-size 16", "got 32")
        self.fails(train(family="gpt2", kv_heads=2, rope_theta=10000), FAILED, "--rope-theta", "gpt2")
        self.fails(train(rope_theta=0.5), FAILED, "the base", "0.5")
        for option in (("--family", "qwen3"), ("--rope-theta", 10000), ("--untied-head",)):
            self.fails(fude("train", "--data", "x", "--model", "x", "--out", self.folder, *option), USAGE, option[0], "--model")
        self.assertFalse((self.folder / "run").exists())

    def test_from_a_configuration_file(self):
        path = self.write("fude.toml", '[init]\nfamily = "gpt2"\nwidth = 32\nheads = 2\nlayers = 1\nuntied-head = true\n')
        self.succeeds(fude("init", "--config", path, "--tokenizer", world().tokenizer, "--out", self.folder / "model"))
        config = json.loads((self.folder / "model/config.json").read_text())
        self.assertEqual((config["model_type"], config["n_head"], config["tie_word_embeddings"]), ("gpt2", 2, False))


class Optimizer(Case):
    def test_numbers_of_adamw(self):
        weights = set()
        for change in ({}, {"beta1": 0.8}, {"beta2": 0.9}, {"epsilon": 1e-3}):
            out = self.folder / str(len(weights))
            self.succeeds(fude(*world().training(out, steps=2, **change)))
            weights.add((out / "model/model.safetensors").read_bytes())
        self.assertEqual(len(weights), 4)
        for option, word in (("beta1", "betas"), ("beta2", "betas")):
            self.fails(fude(*world().training(self.folder / "bad", **{option: 1})), FAILED, word)
        self.fails(fude(*world().training(self.folder / "bad", epsilon=0)), FAILED, "eps above 0")
        self.fails(fude(*world().training(self.folder / "bad", epsilon="nan")), USAGE, "--epsilon")


class Report(Case):
    def test_it_tells_all_settings(self):
        w, run = world(), self.folder / "run"
        settings = dict(compute="bf16", steps=2, schedule="wsd", decay_fraction=0.3, weight_decay=0.05, beta2=0.9, validation=f"own={w.shards}")
        self.succeeds(fude(*w.training(run, **settings), "--muon", "--concat"))
        rows = dict(re.findall("<tr><td>([^<]*)</td><td>([^<]*)</td></tr>", (run / "report.html").read_text()))
        for name, value in {"data": w.shards, "tokenizer": w.tokenizer, "validation": f"own={w.shards}", "compute": "bf16", "family": "qwen3", "rows": 4,
                            "row tokens": 64, "concat": "yes", "gradient slots": 1, "schedule": "wsd", "learning rate": 0.001, "warmup": 2,
                            "final fraction": 0.1, "decay fraction": 0.3, "weight decay": 0.05, "clip": 1, "betas": "0.9, 0.9", "eps": "1e-08"}.items():
            self.assertEqual(rows.get(name), str(value), name)
        self.assertIn("Muon", rows["optimizer"])
        self.assertIn("rope_theta 10000", rows["config.json"])
        self.assertNotIn("from", rows)


class GoingOn(Case):
    def train(self, model, *more):
        return fude("train", "--model", model, "--data", world().shards, "--out", self.folder / "run", "--row-tokens", 64, "--rows", 2, "--steps", 2, *more)

    def test_a_tokenizer_that_is_not_the_models_is_refused(self):
        other = self.folder / "other"
        self.succeeds(fude("tokenizer", world().text, "--out", other, "--vocabulary", 300))
        self.fails(self.train(world().model, "--tokenizer", other), FAILED, "another tokenizer", other, world().model)
        self.succeeds(self.train(world().model, "--tokenizer", world().tokenizer))

    def test_from_a_checkpoint_where_the_loss_was_not_a_number(self):
        wild = self.folder / "wild"
        result = fude(*world().training(wild, steps=30, save_every=1, learning_rate=1e30), "--clip", 0, "--warmup", 2)
        self.fails(result, FAILED, "not a number", "another --out folder", f"from the model {wild}/checkpoint-")
        self.succeeds(self.train(next(world().run.glob("checkpoint-*"))))
