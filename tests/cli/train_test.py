"""What options of `fude train` do to the weights, and going on from a model."""

import json

from harness import FAILED, Case, fude, world


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
