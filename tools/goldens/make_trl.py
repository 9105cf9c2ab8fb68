"""Losses and gradients of SFT and GRPO, as TRL's own trainers have them.

    python3 make_trl.py GOLDENS

writes GOLDENS/trl/FAMILY.json, what goes in, and FAMILY.safetensors, what comes out, for the goldens llama and qwen3.
The trainers are TRL's, unchanged: SFTTrainer makes its labels, pads its batch and computes its loss; GRPOTrainer takes
fixed answers in place of its sampler's, has them rewarded, makes advantages and masks and computes its loss. Weights are
in float64, and `in_float64` keeps TRL there, which would compute log-probabilities in float32. Only where it would take
log-probabilities of an earlier policy and of the reference from models, it is given fixed ones, which are off enough
to be clipped on both sides.

A tensor of gradients holds of every parameter, in the order of the names, each third value or so (`sampled`). Beside it
stands how far an error of the forward pass may move it, by derivatives of TRL's own loss with respect to its
log-probabilities (`sizes_of`).
"""

import contextlib
import json
import os
import sys
import tempfile
from unittest import mock

import datasets
import tokenizers
import torch
import transformers
from safetensors.torch import save_file
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

import reference

FAMILIES = {"llama": 64, "qwen3": 96}  # and their vocabularies
END, PAD = 2, 0
GROUP = 3
REWARDS = [1.0, 0.0, 0.0, 0.5, 0.0, 0.25, 0.125, 0.125, 0.125]
PROMPT_SIZES = [4, 7, 2]
ANSWER_SIZES = [5, 3, 8, 6, 8, 1, 4, 2, 7]
TRUNCATED = 4  # the answer that lacks its end
LONGEST = 8
LOW, HIGH = 0.2, 0.28
SCALES = {"dapo": "batch", "grpo": "group", "dr_grpo": "none"}


@contextlib.contextmanager
def in_float64():
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with (mock.patch.object(torch, "float32", torch.float64),
              mock.patch.object(torch.Tensor, "float", torch.Tensor.double), reference.forbid_float32()):
            yield
    finally:
        torch.set_default_dtype(default)


def load(folder):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa")
    return reference.exact(model.double()).train()


def tokenizer(vocabulary):
    words = {f"t{i}": i for i in range(vocabulary)}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="t3")),
        eos_token=f"t{END}", pad_token=f"t{PAD}", bos_token="t1")


def common(work):
    return dict(output_dir=work, use_cpu=True, bf16=False, gradient_checkpointing=False, report_to="none",
                disable_tqdm=True)


def sampled(gradient):
    """At most some 64 values; the stride is odd, so that it falls on every column of a matrix."""
    flat = gradient.flatten()
    return flat[::max(1, flat.numel() // 64) | 1]


def named(model):
    return sorted((name, p) for name, p in model.named_parameters() if p.requires_grad)


def steepest(model, logprobs, mask):
    """max |d log p / d parameter| of each token, [tokens, parameters]."""
    parameters = [p for _, p in named(model)]
    return torch.tensor([[g.abs().max().item() for g in torch.autograd.grad(logprob, parameters, retain_graph=True)]
                         for logprob in logprobs[mask]])


def sizes_of(loss, logprobs, mask, steepest_NP):
    """What a loss's gradient is a sum of, [parameters, 2]: of |slope| · steepest, by which relative errors of the
    gradients of log-probabilities come in, and of |d slope / d log p| · steepest, by which errors of the
    log-probabilities do. And the sum of |slope|, by which the latter come into the loss."""
    slopes, = torch.autograd.grad(loss, logprobs, create_graph=True)
    bends = torch.autograd.grad(slopes.sum(), logprobs, retain_graph=True)[0] if slopes.requires_grad else 0 * slopes
    both = torch.stack([slopes[mask], bends[mask]]).detach().abs()
    return (both @ steepest_NP).T, both[0].sum()


def results_of(loss, logprobs, mask, steepest_NP, model):
    sizes, slopes = sizes_of(loss, logprobs, mask, steepest_NP)
    model.zero_grad()
    loss.backward()
    return {"loss": loss.detach().reshape(1), "slopes": slopes.reshape(1), "sizes": sizes,
            "gradients": torch.cat([sampled(p.grad) for _, p in named(model)])}


class Catch:
    """Keeps the log-probabilities that a patched model gives to its trainer."""

    def __init__(self, model):
        self.forward = model.forward
        model.forward = self

    def __call__(self, *arguments, **keywords):
        self.outputs = self.forward(*arguments, **keywords)
        return self.outputs


def sft(folder, vocabulary, work):
    random = torch.Generator().manual_seed(1)
    conversations = []
    # Two turns of an assistant; one that begins at once; one that is cut off; one of which nothing is learned.
    for turns in [(4, 3, 2, 5), (1, 8), (6, 2), (5,)]:
        mask = [bool(i % 2) for i, size in enumerate(turns) for _ in range(size)]
        conversations.append({"input_ids": torch.randint(3, vocabulary, (len(mask),), generator=random).tolist(),
                              "assistant_masks": [int(m) for m in mask]})
    model = load(folder)
    arguments = SFTConfig(**common(work), per_device_train_batch_size=len(conversations), max_length=None)
    trainer = SFTTrainer(model, args=arguments, train_dataset=datasets.Dataset.from_list(conversations),
                         processing_class=tokenizer(vocabulary))
    batch = next(iter(trainer.get_train_dataloader()))
    assert (batch["attention_mask"] == 0).any(), "expected padding"
    with in_float64():
        catch = Catch(model)
        loss = trainer.compute_loss(model, batch)
        logprobs, mask = catch.outputs.log_probs, catch.outputs.label_mask
        result = results_of(loss, logprobs, mask, steepest(model, logprobs, mask), model)
    return conversations, result


class Policy:
    def __init__(self, folder, vocabulary, work):
        self.folder, self.vocabulary, self.work = folder, vocabulary, work
        random = torch.Generator().manual_seed(2)

        def draw(size):
            return torch.randint(3, vocabulary, (size,), generator=random).tolist()

        self.prompts = [draw(size) for size in PROMPT_SIZES]
        self.answers = [draw(size if i == TRUNCATED else size - 1) + [END] * (i != TRUNCATED)
                        for i, size in enumerate(ANSWER_SIZES)]
        self.steepest, self.sampled, self.kept, self.largest_logit = {}, {}, {}, 0
        self.random = random

    def trainer(self, loss_type, kl, temperature, masks_truncated):
        arguments = GRPOConfig(
            **common(self.work), per_device_train_batch_size=len(self.answers), num_generations=GROUP,
            max_completion_length=LONGEST, loss_type=loss_type, scale_rewards=SCALES[loss_type], beta=kl,
            temperature=temperature, epsilon=LOW, epsilon_high=HIGH, mask_truncated_completions=masks_truncated)
        trainer = GRPOTrainer(
            load(self.folder), args=arguments, reward_funcs=lambda completions, **_: REWARDS,
            train_dataset=datasets.Dataset.from_list([{"prompt": "t3"}] * GROUP),
            processing_class=tokenizer(self.vocabulary),
            rollout_func=lambda prompts, trainer: {
                "prompt_ids": [self.prompts[i // GROUP] for i in range(len(self.answers))],
                "completion_ids": self.answers, "logprobs": None})
        if trainer.ref_model is not None:
            reference.exact(trainer.ref_model)
        trainer.reward_weights = trainer.reward_weights.double()
        trainer.current_gradient_accumulation_steps = 1  # which the loop of train() would set
        return trainer

    def look(self, temperature):
        """Log-probabilities as they are, and from them those of an earlier policy and of the reference, in float32."""
        trainer = self.trainer("dapo", 0, temperature, False)
        model = trainer.model
        with in_float64():
            inputs = trainer._generate_and_score_completions([{"prompt": "t3"}] * len(self.answers))
            catch = Catch(model)
            trainer.compute_loss(model, inputs)
            mask = inputs["completion_mask"].bool()
            logprobs = catch.outputs.log_probs[:, -mask.size(1):]
            self.steepest[temperature] = steepest(model, logprobs, mask)
            ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
            seen = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
            logits = model(input_ids=ids, attention_mask=seen).logits[seen.bool()]
            self.largest_logit = max(self.largest_logit, logits.abs().max().item())
            now = logprobs.detach()
        def beside():
            noise = torch.rand(now.shape, generator=self.random, dtype=torch.float64) - 0.5
            return ((now + noise) * mask).to(torch.float32).double()

        def is_near_an_edge(old):
            ratios = (now - old).exp()[mask]
            return any((ratios - edge).abs().min() < 1e-3 for edge in (1 - LOW, 1 + HIGH))

        self.sampled[temperature] = beside()
        while is_near_an_edge(self.sampled[temperature]):
            self.sampled[temperature] = beside()
        self.kept[temperature] = beside()

    def case(self, loss_type, off_policy, kl, temperature, masks_truncated):
        if temperature not in self.steepest:
            self.look(temperature)
        trainer = self.trainer(loss_type, kl, temperature, masks_truncated)
        with in_float64():
            inputs = trainer._generate_and_score_completions([{"prompt": "t3"}] * len(self.answers))
            if off_policy:
                inputs["old_per_token_logps"] = self.sampled[temperature]
            if kl:
                inputs["ref_per_token_logps"] = self.kept[temperature]
            catch = Catch(trainer.model)
            loss = trainer.compute_loss(trainer.model, inputs)
            mask = inputs["completion_mask"].bool()
            whole = torch.arange(mask.size(1)) < torch.tensor(ANSWER_SIZES)[:, None]
            logprobs = catch.outputs.log_probs
            # The one in front of the first answer's token is the last of the prompt.
            first = logprobs.size(1) - mask.size(1)
            everywhere = torch.cat([torch.zeros(mask.size(0), first, dtype=torch.bool), whole], dim=1)
            result = results_of(loss, logprobs, everywhere, self.steepest[temperature], trainer.model)
        metrics = trainer._metrics["train"]
        count = int(mask.sum())
        low, high = (round(metrics[f"clip_ratio/{end}_mean"][0] * count) for end in ("low", "high"))
        assert not off_policy or (low > 0 and high > 0), "expected tokens clipped on both sides"
        if masks_truncated:
            assert not mask[TRUNCATED].any() and mask.sum() == sum(ANSWER_SIZES) - ANSWER_SIZES[TRUNCATED]
        said = {"loss_type": loss_type, "scale": SCALES[loss_type], "off_policy": off_policy, "kl": kl,
                "temperature": temperature, "masks_truncated": masks_truncated, "clipped": [low, high],
                "mean_kl": metrics["kl"][0] if kl else 0.0}
        return said, inputs["advantages"], result


def of_each(matrix):
    """Of each answer, its own length."""
    return [row[:size].tolist() for row, size in zip(matrix, ANSWER_SIZES)]


def make(goldens, family, vocabulary, work):
    folder = os.path.join(goldens, family)
    conversations, tensors = sft(folder, vocabulary, work)
    tensors = {"sft." + key: value for key, value in tensors.items()}
    policy = Policy(folder, vocabulary, work)
    cases = []
    for loss_type in SCALES:
        rest = [(off, kl, temperature, False) for off in (False, True) for kl in (0.0, 0.04) for temperature in (1.0, 0.7)]
        if family != "llama":
            rest = [(True, 0.04, 0.7, False)]
        for choice in rest + [(True, 0.04, 1.0, True)]:
            said, advantages, result = policy.case(loss_type, *choice)
            tensors |= {f"{len(cases)}.{key}": value for key, value in result.items()}
            tensors["advantages." + said["scale"]] = advantages
            cases.append(said)
            print(f"{family:8} {said} loss {result['loss'].item():.6f}")
    inputs = {"conversations": conversations, "prompts": policy.prompts, "answers": policy.answers, "group": GROUP,
              "rewards": REWARDS, "truncated": TRUNCATED, "longest": LONGEST, "clip": [LOW, HIGH],
              "largest_logit": policy.largest_logit,
              "sampled": {str(t): of_each(x) for t, x in policy.sampled.items()},
              "reference": {str(t): of_each(x) for t, x in policy.kept.items()}, "cases": cases}
    with open(os.path.join(goldens, "trl", family + ".json"), "w") as file:
        json.dump(inputs, file, separators=(",", ":"))
        file.write("\n")
    save_file({name: value.to(torch.float32).contiguous() for name, value in tensors.items()},
              os.path.join(goldens, "trl", family + ".safetensors"))


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_trl.py GOLDENS")
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    os.makedirs(os.path.join(sys.argv[1], "trl"), exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        for family, vocabulary in FAMILIES.items():
            make(sys.argv[1], family, vocabulary, work)


if __name__ == "__main__":
    main()
