"""Makes a tiny random model and the numbers that an implementation of it must reach.

    python3 make_model.py FAMILY OUT

FAMILY is one of FAMILIES below, or `all` (then OUT gets one folder for each).  OUT becomes a
Hugging Face folder with golden.safetensors, and for most families steps.safetensors and
muon_steps.safetensors; README.md beside this file says what is in them.
"""

import copy
import os
import sys

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import save_file

import reference

LENGTHS = (7, 1, 12)
STEPS = 10
CLIP = 1.0
ADAMW = dict(lr=1e-2, betas=(0.9, 0.95), eps=1e-8)
ADAMW_DECAY = 0.1
MUON = dict(lr=0.02, momentum=0.95, weight_decay=0.1)


def qwen3(**changes):
    settings = dict(
        vocab_size=96, hidden_size=48, intermediate_size=40, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=16,
        max_position_embeddings=64, rms_norm_eps=1e-6, attention_bias=False,
        rope_parameters=dict(rope_type="default", rope_theta=1e6),
        tie_word_embeddings=True, use_cache=True, bos_token_id=None, eos_token_id=0,
    )
    return transformers.Qwen3ForCausalLM, transformers.Qwen3Config(**(settings | changes))


def llama(layers=2, **rope):
    return transformers.LlamaForCausalLM, transformers.LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=layers,
        num_attention_heads=2, num_key_value_heads=1, head_dim=16,
        max_position_embeddings=64, rms_norm_eps=1e-5, attention_bias=False, mlp_bias=False,
        rope_parameters=dict(rope_type="default", rope_theta=10000.0) | rope,
        tie_word_embeddings=False, bos_token_id=1, eos_token_id=2,
    )


def gpt2(**changes):
    settings = dict(
        vocab_size=64, n_positions=16, n_embd=32, n_layer=2, n_head=2,
        activation_function="gelu_new", resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        layer_norm_epsilon=1e-5, tie_word_embeddings=True, bos_token_id=0, eos_token_id=0,
    )
    return transformers.GPT2LMHeadModel, transformers.GPT2Config(**(settings | changes))


def qwen2():
    return transformers.Qwen2ForCausalLM, transformers.Qwen2Config(
        vocab_size=64, hidden_size=32, intermediate_size=40, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
        rms_norm_eps=1e-6, use_sliding_window=False,
        rope_parameters=dict(rope_type="default", rope_theta=1e6),
        tie_word_embeddings=True, bos_token_id=None, eos_token_id=0,
    )


def gemma3(**changes):
    # A window of 5, so that sequences of 7 and 12 tokens leave it; a scale that the head size does not give.
    settings = dict(
        vocab_size=64, hidden_size=32, intermediate_size=40, num_hidden_layers=3,
        num_attention_heads=2, num_key_value_heads=1, head_dim=16, query_pre_attn_scalar=20,
        max_position_embeddings=64, rms_norm_eps=1e-6, sliding_window=5,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        rope_parameters=dict(
            full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1e6),
            sliding_attention=dict(rope_type="default", rope_theta=10000.0),
        ),
        tie_word_embeddings=True, bos_token_id=2, eos_token_id=1, pad_token_id=None,
    )
    return transformers.Gemma3ForCausalLM, transformers.Gemma3TextConfig(**(settings | changes))


def gemma3_that_sees():
    """Only text goes through it."""
    _, text = gemma3(hidden_size=16, intermediate_size=24)
    vision = transformers.SiglipVisionConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
        image_size=8, patch_size=4,
    )
    config = transformers.Gemma3Config(
        text_config=text, vision_config=vision, mm_tokens_per_image=4,
        image_token_index=64, boi_token_index=65, eoi_token_index=66,
    )
    return transformers.Gemma3ForConditionalGeneration, config


# Family: its shape, and which optimiser runs are recorded.  Every path of the optimisers is
# taken by some family; the rest would only repeat it and fill the repository.  A new family
# stands last: its place is its seed.
FAMILIES = {
    "gpt2": (gpt2, ("adamw", "muon")),
    "llama": (llama, ("adamw",)),
    "qwen3": (qwen3, ("adamw", "muon")),
    "qwen3_untied": (
        lambda: qwen3(hidden_size=32, intermediate_size=32, num_hidden_layers=1, vocab_size=64,
                      tie_word_embeddings=False),
        (),
    ),
    "qwen2": (qwen2, ("adamw",)),
    "gemma3_text": (gemma3, ("adamw",)),
    # Scaled ropes; the sequences are longer than the original contexts.
    "llama_linear": (lambda: llama(1, rope_type="linear", factor=4.0), ()),
    "llama_llama3": (
        lambda: llama(1, rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                      original_max_position_embeddings=8),
        (),
    ),
    "llama_yarn": (
        lambda: llama(1, rope_type="yarn", factor=8.0, original_max_position_embeddings=8,
                      beta_fast=2.0, beta_slow=0.25),
        (),
    ),
    # As many layers as it takes to have a global one, and the head size's own scale: a GGUF file tells neither.
    "gemma3_pattern": (
        lambda: gemma3(hidden_size=16, intermediate_size=24, num_hidden_layers=6, layer_types=None,
                       query_pre_attn_scalar=16),
        (),
    ),
    # As llama.cpp's older converter writes every GPT-2.
    "gpt2_untied": (lambda: gpt2(n_layer=1, tie_word_embeddings=False), ()),
    "gemma3": (gemma3_that_sees, ()),
}


def build(shape, seed):
    """A model of float32 weights, far enough from its usual start that nothing hides."""
    kind, config = shape()
    config._attn_implementation = "sdpa"
    model = kind(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() >= 2:
                parameter.copy_(0.15 * noise)
            elif name.endswith("weight"):
                parameter.copy_(1 + 0.2 * noise)
            else:
                parameter.copy_(0.1 * noise)
    return model


def batch(vocabulary, seed):
    generator = torch.Generator().manual_seed(seed)
    sequences = [torch.randint(0, vocabulary, (length,), generator=generator) for length in LENGTHS]
    targets = [torch.cat((s[1:], torch.tensor([-1]))) for s in sequences]
    return sequences, torch.cat(targets)


def run(model, sequences, targets):
    """The logits of every sequence by itself, and the mean loss over the targets."""
    logits = torch.cat([model(input_ids=s[None], use_cache=False).logits[0] for s in sequences])
    return logits, F.cross_entropy(logits, targets, ignore_index=-1, reduction="mean")


def in_double(model):
    return reference.exact(copy.deepcopy(model).double())


def differences(a, b):
    """[largest |a - b|, root mean square of a - b, largest |a|]"""
    d = (a.double() - b.double()).abs()
    return torch.stack((d.max(), d.square().mean().sqrt(), a.double().abs().max())).float()


def golden(model, sequences, targets):
    result = {
        "tokens": torch.cat(sequences).int(),
        "sequence_starts": torch.tensor([0, *torch.tensor(LENGTHS).cumsum(0)]).int(),
        "targets": targets.int(),
    }
    exact, plain = in_double(model), copy.deepcopy(model)
    with reference.forbid_float32():
        logits, loss = run(exact, sequences, targets)
        loss.backward()
    logits_f32, loss_f32 = run(plain, sequences, targets)
    loss_f32.backward()
    result |= {
        "logits": logits.detach().float(), "loss": loss.detach().float().reshape(1),
        "logits_f32": logits_f32.detach(), "loss_f32": loss_f32.detach().reshape(1),
    }
    for (name, parameter), (_, rough) in zip(exact.named_parameters(), plain.named_parameters()):
        if parameter.grad is None:  # it sees
            continue
        name = name.replace("language_model.", "")
        result["grad." + name] = parameter.grad.float()
        result["grad_f32_error." + name] = differences(parameter.grad, rough.grad)
    return result


def muon_matrices(model):
    """The matrices inside the blocks as (parameter, view of it as [outputs, inputs])."""
    matrices = []
    for name, parameter in model.named_parameters():
        if parameter.dim() != 2 or not (".layers." in name or ".h." in name):
            continue
        if ".h." in name:  # GPT-2 stores [inputs, outputs]
            if name.endswith("c_attn.weight"):
                for part in range(3):  # Q, K, V side by side
                    matrices.append((parameter, lambda t, part=part: t.chunk(3, dim=1)[part].mT))
            else:
                matrices.append((parameter, lambda t: t.mT))
        else:
            matrices.append((parameter, lambda t: t))
    return matrices


def optimisers(kind, model):
    muon = muon_matrices(model) if kind == "muon" else []
    taken = {id(parameter) for parameter, _ in muon}
    rest = [p for p in model.parameters() if id(p) not in taken]
    adamw = torch.optim.AdamW(
        [
            dict(params=[p for p in rest if p.dim() >= 2], weight_decay=ADAMW_DECAY),
            dict(params=[p for p in rest if p.dim() < 2], weight_decay=0.0),
        ],
        **ADAMW, foreach=False,
    )
    return [adamw] + ([reference.Muon(muon, **MUON)] if muon else [])


def train(kind, model, sequences, targets):
    steppers = optimisers(kind, model)
    losses, norms = [], []
    for _ in range(STEPS):
        model.zero_grad(set_to_none=True)
        _, loss = run(model, sequences, targets)
        loss.backward()
        # g *= min(1, clip / (norm + 1e-6)) over all parameters, whichever optimiser has them.
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP).detach())
        losses.append(loss.detach())
        for stepper in steppers:
            stepper.step()
    return torch.stack(losses), torch.stack(norms)


def steps(kind, model, sequences, targets):
    exact, plain = in_double(model), copy.deepcopy(model)
    losses, norms = train(kind, exact, sequences, targets)
    losses_f32, norms_f32 = train(kind, plain, sequences, targets)
    result = {
        "loss": losses.float(), "grad_norm": norms.float(),
        "loss_f32": losses_f32.float(), "grad_norm_f32": norms_f32.float(),
    }
    for (name, parameter), (_, rough) in zip(exact.named_parameters(), plain.named_parameters()):
        result["param." + name] = parameter.detach().float()
        a, b = parameter.detach(), rough.detach()
        if name.endswith("c_attn.bias"):
            # The softmax does not see K's bias: its gradient is rounding noise, which AdamW
            # blows up to whole steps.  Only Q's and V's parts are worth comparing.
            a, b = (torch.cat((t.chunk(3)[0], t.chunk(3)[2])) for t in (a, b))
        result["param_f32_error." + name] = differences(a, b)
    return result


def report(family, file, values):
    line = [f"{family:13} {file:12}"]
    for name in ("loss", "logits", "grad_norm"):
        if name + "_f32" in values:
            d = (values[name].double() - values[name + "_f32"].double()).abs().max()
            line.append(f"{name} {d:.1e}")
    errors = {n: v for n, v in values.items() if "_f32_error." in n}
    worst = max(errors, key=lambda n: errors[n][0].item())
    line.append(f"worst {worst.split('.', 1)[1]}: max {errors[worst][0]:.1e} rms {errors[worst][1]:.1e} of {errors[worst][2]:.2g}")
    relative = max(errors, key=lambda n: (errors[n][0] / errors[n][2]).item())
    e = errors[relative]
    line.append(f"worst relative to its largest {relative.split('.', 1)[1]}: {e[0] / e[2]:.1e}")
    print("; ".join(line))


def make(family, out):
    shape, kinds = FAMILIES[family]
    seed = 1 + list(FAMILIES).index(family)
    model = build(shape, seed)
    sequences, targets = batch(model.config.get_text_config().vocab_size, 100 + seed)
    os.makedirs(out, exist_ok=True)
    model.save_pretrained(out)
    generation = os.path.join(out, "generation_config.json")
    if os.path.exists(generation):
        os.remove(generation)

    values = golden(model, sequences, targets)
    save_file(values, os.path.join(out, "golden.safetensors"))
    report(family, "golden", values)
    for kind in kinds:
        values = steps(kind, model, sequences, targets)
        name = "steps" if kind == "adamw" else "muon_steps"
        save_file({n: v.contiguous() for n, v in values.items()}, os.path.join(out, name + ".safetensors"))
        report(family, name, values)


def main():
    transformers.logging.disable_progress_bar()
    if len(sys.argv) != 3 or sys.argv[1] not in (*FAMILIES, "all"):
        sys.exit(f"usage: make_model.py {'|'.join(FAMILIES)}|all OUT")
    torch.set_num_threads(1)
    reference.check_muon()
    if sys.argv[1] == "all":
        for family in FAMILIES:
            make(family, os.path.join(sys.argv[2], family))
    else:
        make(sys.argv[1], sys.argv[2])


if __name__ == "__main__":
    main()
