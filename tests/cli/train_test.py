"""What options of `fude train` do to the weights."""

import json

from harness import Case, fude, world


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
