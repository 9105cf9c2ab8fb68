"""Opens an adapter that Fude saved in peft, beside its model, and exits with 1 unless peft has all of it.

    python3 check_adapter.py MODEL ADAPTER

Every matrix of the file must have arrived with the same bits, every other one that peft made is an error, and what peft
itself would save of it are the same tensors and the same configuration.
"""

import json
import os
import sys
import tempfile
import warnings

import peft
import torch
import transformers
from safetensors.torch import load_file


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: check_adapter.py MODEL ADAPTER")
    warnings.simplefilter("error", UserWarning)  # so peft tells of keys that are missing, or not expected
    base = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
    tokens = torch.arange(9)[None]
    plain = base(input_ids=tokens, use_cache=False).logits.detach().clone()
    model = peft.PeftModel.from_pretrained(base, sys.argv[2]).eval()
    saved = load_file(os.path.join(sys.argv[2], "adapter_model.safetensors"))
    loaded = {name.replace(".default", ""): value for name, value in model.named_parameters() if "lora_" in name}
    assert saved.keys() == loaded.keys(), saved.keys() ^ loaded.keys()
    assert all(torch.equal(saved[name], loaded[name]) for name in saved)
    moved = (model(input_ids=tokens, use_cache=False).logits - plain).abs().max()
    model.peft_config["default"].base_model_name_or_path = sys.argv[1]  # where it looks for the vocabulary's size
    with tempfile.TemporaryDirectory() as again:
        model.save_pretrained(again)
        theirs = load_file(os.path.join(again, "adapter_model.safetensors"))
        assert theirs.keys() == saved.keys() and all(torch.equal(theirs[name], saved[name]) for name in saved)
        config = json.load(open(os.path.join(again, "adapter_config.json")))
    ours = json.load(open(os.path.join(sys.argv[2], "adapter_config.json")))
    for key, value in ours.items():
        theirs = sorted(config[key]) if key == "target_modules" else config[key]
        assert theirs == value or key == "base_model_name_or_path", f"{key}: {value}, peft has {theirs}"
    print(f"{len(saved)} tensors, rank {ours['r']}, targets {ours['target_modules']}, logits move by {moved:.3f}")


if __name__ == "__main__":
    main()
