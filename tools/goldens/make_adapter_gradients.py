"""The gradients of an adapter's matrices, as PyTorch has them through PEFT.

    python3 make_adapter_gradients.py GOLDENS

reads every GOLDENS/FAMILY/adapter/ that make_adapters.py made and writes gradients.safetensors beside it, all of it in
float64 and stored in float32: the mean `loss` [1] over the targets of the family's golden, each sequence by itself, and
`grad.NAME` for every tensor NAME of adapter_model.safetensors.
"""

import os
import sys

import peft
import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file, save_file

import make_adapters
import reference


def make(goldens, family):
    folder = os.path.join(goldens, family)
    adapter = os.path.join(folder, "adapter")
    base = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    base.config._attn_implementation = "sdpa"
    model = reference.exact(peft.PeftModel.from_pretrained(base, adapter, is_trainable=True).eval().double())
    golden = load_file(os.path.join(folder, "golden.safetensors"))
    starts = golden["sequence_starts"].tolist()
    with reference.forbid_float32():
        logits = torch.cat([model(input_ids=golden["tokens"][a:b].long()[None], use_cache=False).logits[0]
                            for a, b in zip(starts, starts[1:])])
        loss = F.cross_entropy(logits, golden["targets"].long(), ignore_index=-1, reduction="mean")
        loss.backward()
    expected = load_file(os.path.join(adapter, "golden.safetensors"))["logits"]
    assert torch.equal(logits.detach().float(), expected), f"{family}: not the logits that the adapter was made with"
    result = {"loss": loss.detach().float().reshape(1)}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            result["grad." + name.replace(".default", "")] = parameter.grad.float().contiguous()
    tensors = load_file(os.path.join(adapter, "adapter_model.safetensors"))
    assert {"grad." + name for name in tensors} == result.keys() - {"loss"}, family
    assert all(gradient.abs().max() > 0 for gradient in result.values()), family
    save_file(result, os.path.join(adapter, "gradients.safetensors"))
    print(f"{family:12} loss {loss.item():.6f}, {len(result) - 1} gradients")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_adapter_gradients.py GOLDENS")
    torch.set_num_threads(1)
    for family in make_adapters.ADAPTERS:
        make(sys.argv[1], family)


if __name__ == "__main__":
    main()
