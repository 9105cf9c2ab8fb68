"""Steps of TRL's SFTTrainer or GRPOTrainer on the CPU, in f32, on the batches that bench/posttrain.py gives Fude.

    python3 trl_step.py sft MODEL --data CHATS.jsonl --rows 4
    python3 trl_step.py grpo MODEL --questions 4 --answers 4 --max-tokens 48

MODEL is a Hugging Face folder. No gradient checkpointing and no mixed precision, which TRL would have by default and
which are slower here; AdamW fused, gradients clipped at 1. SFT takes rows that are of one length (--data), so nothing is
padding. GRPO samples by transformers' generate() with its cache, one update a rollout, no reference model. Prints one
line of JSON: of each step but the first --warmup its seconds, of them those of sampling, tokens that it learned from
(prompts and answers) and tokens sampled; and the largest resident set of the process.
"""

import argparse
import json
import resource
import tempfile
import time

import datasets
import torch
import transformers
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

import story_task


class Watch(transformers.TrainerCallback):
    """Seconds and counts of each step."""

    def __init__(self):
        self.steps = []

    def on_step_begin(self, *_, **__):
        self.sampling, self.learned, self.sampled = 0.0, 0, 0
        self.began = time.perf_counter()

    def on_step_end(self, *_, **__):
        self.steps.append({"seconds": time.perf_counter() - self.began, "sampling_seconds": self.sampling,
                           "tokens": self.learned, "sampled_tokens": self.sampled})


def watch_grpo(trainer, watch):
    generate, prepare = trainer._generate_single_turn, trainer._prepare_inputs

    def generated(*arguments, **keywords):
        began = time.perf_counter()
        answers = generate(*arguments, **keywords)
        watch.sampling += time.perf_counter() - began
        watch.sampled += sum(len(ids) for ids in answers[0])
        return answers

    def prepared(batch):
        inputs = prepare(batch)
        watch.learned += int(inputs["prompt_mask"].sum() + inputs["completion_mask"].sum())
        return inputs

    trainer._generate_single_turn, trainer._prepare_inputs = generated, prepared


def watch_sft(trainer, watch):
    loss_of = trainer.compute_loss

    def compute_loss(model, inputs, *arguments, **keywords):
        watch.learned += int(inputs["attention_mask"].sum())
        assert inputs["attention_mask"].all(), "expected rows of one length"
        return loss_of(model, inputs, *arguments, **keywords)

    trainer.compute_loss = compute_loss


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("sft", "grpo"))
    parser.add_argument("model")
    parser.add_argument("--data", help="sft: conversations")
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--questions", type=int, default=4)
    parser.add_argument("--answers", type=int, default=4)
    parser.add_argument("--max-tokens", type=int, default=48)
    parser.add_argument("--steps", type=int, default=2, help="timed steps")
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    tokenizer = transformers.AutoTokenizer.from_pretrained(o.model)
    model = transformers.AutoModelForCausalLM.from_pretrained(o.model, dtype=torch.float32)
    watch = Watch()
    with tempfile.TemporaryDirectory() as work:
        common = dict(output_dir=work, use_cpu=True, bf16=False, gradient_checkpointing=False, report_to="none",
                      disable_tqdm=True, save_strategy="no", max_steps=o.warmup + o.steps, learning_rate=1e-6,
                      lr_scheduler_type="constant", optim="adamw_torch_fused", max_grad_norm=1.0, logging_steps=1000)
        if o.what == "sft":
            with open(o.data) as file:
                chats = [json.loads(line) for line in file]
            rows = [[{"role": m["role"], "content": m["content"]} for m in chat["messages"]] for chat in chats]
            data = datasets.Dataset.from_list([{"prompt": r[:-1], "completion": r[-1:]} for r in rows])
            trainer = SFTTrainer(model, args=SFTConfig(**common, per_device_train_batch_size=o.rows, max_length=None),
                                 train_dataset=data, processing_class=tokenizer, callbacks=[watch])
            watch_sft(trainer, watch)
        else:
            data = datasets.Dataset.from_list(
                [{"prompt": [{"role": "user", "content": story_task.question(i)}]} for i in range(64)])
            arguments = GRPOConfig(**common, per_device_train_batch_size=o.questions * o.answers,
                                   num_generations=o.answers, max_completion_length=o.max_tokens, beta=0.0,
                                   loss_type="dapo", scale_rewards="none", epsilon=0.2, epsilon_high=0.28)

            def reward(completions, **_):
                return [float(story_task.is_right(c[0]["content"])) for c in completions]

            trainer = GRPOTrainer(model, args=arguments, reward_funcs=reward, train_dataset=data,
                                  processing_class=tokenizer, callbacks=[watch])
            watch_grpo(trainer, watch)
        trainer.train()
    print(json.dumps({"steps": watch.steps[o.warmup:], "torch": torch.__version__, "threads": o.threads,
                      "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
