"""Makes tiny LoRA adapters for the models of make_model.py with PEFT, and the logits that they must reach.

    python3 make_adapters.py GOLDENS

writes GOLDENS/FAMILY/adapter/ for every family of ADAPTERS, and adapter_ends/ for those of ENDS: what PEFT saves, and
golden.safetensors with the `logits` of the batch in the family's own golden, in float64.  README.md beside this file
says more.
"""

import json
import os
import sys

import peft
import torch
import transformers
from safetensors.torch import load_file, save_file

import reference

# Every key of the configuration that changes the arithmetic is taken by some family.
ADAPTERS = {
    # Two of the three stacked projections.
    "llama": (dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"]), torch.float32),
    # Every module, ranks and alphas of their own.
    "qwen3": (
        dict(r=4, lora_alpha=6, target_modules="all-linear", use_rslora=True,
             rank_pattern={"q_proj": 8, "layers.1.mlp.down_proj": 2}, alpha_pattern={"^model.layers.0.mlp.up_proj": 3, "o_proj": 5}),
        torch.bfloat16,
    ),
    "qwen2": (dict(r=3, lora_alpha=3, target_modules=["k_proj", "o_proj", "gate_proj"], layers_to_transform=[1]), torch.float16),
    "gemma3_text": (dict(r=2, lora_alpha=4, target_modules="all-linear"), torch.bfloat16),
    # Weights stored as [in, out].
    "gpt2": (dict(r=4, lora_alpha=16, target_modules=["c_attn", "c_proj", "c_fc"], fan_in_fan_out=True), torch.float32),
}

# Token embedding and head; keys that are patterns.
ENDS = {
    # Two tensors.
    "llama": (
        dict(r=4, lora_alpha=8, target_modules=["embed_tokens", "lm_head", "q_proj", "v_proj"],
             rank_pattern={r"layers\.\d+\.self_attn\.(q|k)_proj": 2, "^lm_": 7, "lm_.*": 3}),
        torch.float32,
    ),
    # One tensor, and one adapter for both of its uses.
    "qwen2": (dict(r=3, lora_alpha=6, target_modules=["embed_tokens", "lm_head", "up_proj"], ensure_weight_tying=True), torch.float32),
    # One tensor, adapted as an embedding only; scaled.
    "gemma3_text": (dict(r=3, lora_alpha=4, target_modules=["embed_tokens", "o_proj"]), torch.float32),
    # One tensor, and an adapter for either use.
    "gpt2": (
        dict(r=4, lora_alpha=4, target_modules=["wte", "lm_head", "c_fc"], fan_in_fan_out=True,
             alpha_pattern={r"transformer\.h\.[1-9].*": 9, "^w.e": 7, "(wte|other)": 6}),
        torch.float32,
    ),
}


def make(goldens, family, adapter, settings, kind, seed):
    folder = os.path.join(goldens, family)
    base = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    base.config._attn_implementation = "sdpa"
    model = peft.get_peft_model(base, peft.LoraConfig(task_type="CAUSAL_LM", **settings))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                values = (0.2 * torch.randn(parameter.shape, generator=generator)).to(kind)
                if parameter.dtype == kind:
                    parameter.copy_(values)  # in place: tied ones share their memory
                else:
                    parameter.data = values
    out = os.path.join(folder, adapter)
    model.peft_config["default"].base_model_name_or_path = family
    model.save_pretrained(out)
    readme = os.path.join(out, "README.md")
    if os.path.exists(readme):
        os.remove(readme)
    # Sets, which PEFT writes in any order.
    path = os.path.join(out, "adapter_config.json")
    config = json.load(open(path))
    config["target_modules"] = sorted(config["target_modules"])
    json.dump(config, open(path, "w"), indent=2, sort_keys=True)

    golden = load_file(os.path.join(folder, "golden.safetensors"))
    starts = golden["sequence_starts"].tolist()
    exact = reference.exact(model.eval().double())
    with reference.forbid_float32(), torch.no_grad():
        logits = torch.cat([exact(input_ids=golden["tokens"][a:b].long()[None], use_cache=False).logits[0]
                            for a, b in zip(starts, starts[1:])])
    save_file({"logits": logits.float().contiguous()}, os.path.join(out, "golden.safetensors"))
    moved = (logits - golden["logits"].double()).abs().max() / logits.abs().max()
    assert moved > 0.05, f"{family}: the adapter does too little ({moved:.3f})"
    print(f"{family:12} {len(load_file(os.path.join(out, 'adapter_model.safetensors')))} tensors, largest change {moved:.2f}")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_adapters.py GOLDENS")
    torch.set_num_threads(1)
    for seed, (family, (settings, kind)) in enumerate(ADAPTERS.items()):
        make(sys.argv[1], family, "adapter", settings, kind, 200 + seed)
    for seed, (family, (settings, kind)) in enumerate(ENDS.items()):
        make(sys.argv[1], family, "adapter_ends", settings, kind, 300 + seed)


if __name__ == "__main__":
    main()
