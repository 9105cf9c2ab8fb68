"""One training step of GPT-2 124M in PyTorch on the CPU, as Fude's own step is measured.

Forward, backward, gradient clip and fused AdamW of the whole model: 12 layers, width 768,
50257 tokens, tied head, SDPA, no dropout. Random tokens. Prints one line of JSON; `value`
is the tokens per second of the median step, `low` and `high` those of the slowest and the
fastest, and `peak_memory_bytes` the largest resident set of the process.

    python3 torch_gpt2_step.py --batch 4 --sequence 512 --dtype bf16 --compile
"""

import argparse
import contextlib
import json
import resource
import statistics
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

VOCABULARY, POSITIONS, LAYERS, HEADS, WIDTH = 50257, 1024, 12, 12, 768


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        batch, length, _ = x.shape
        heads = self.qkv(self.norm_1(x)).view(batch, length, 3, HEADS, WIDTH // HEADS)
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, WIDTH))
        return x + self.down(F.gelu(self.up(self.norm_2(x)), approximate="tanh"))


class Gpt2(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(POSITIONS, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif "norm" not in name:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens, targets):
        x = self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.tokens.weight)
        return F.cross_entropy(logits.float().view(-1, VOCABULARY), targets.view(-1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--sequence", type=int, default=512)
    parser.add_argument("--dtype", choices=("f32", "bf16"), default="f32")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--steps", type=int, default=8, help="timed steps, after --warmup that are not")
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if options.sequence > POSITIONS:
        parser.error(f"--sequence is at most {POSITIONS}")

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = Gpt2()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    forward = torch.compile(model) if options.compile else model
    shape = (options.batch, options.sequence)
    tokens, targets = torch.randint(0, VOCABULARY, (2, *shape)).unbind()

    def step():
        optimiser.zero_grad(set_to_none=True)
        bf16 = options.dtype == "bf16"
        with torch.autocast("cpu", dtype=torch.bfloat16) if bf16 else contextlib.nullcontext():
            loss = forward(tokens, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        return loss.item()

    losses, seconds = [], []
    for _ in range(options.warmup + options.steps):
        start = time.perf_counter()
        losses.append(step())
        seconds.append(time.perf_counter() - start)
    seconds = seconds[options.warmup:]

    count = options.batch * options.sequence
    print(json.dumps({
        "name": f"{options.dtype} step B={options.batch} T={options.sequence}",
        "value": round(count / statistics.median(seconds), 1),
        "low": round(count / max(seconds), 1),
        "high": round(count / min(seconds), 1),
        "unit": "tok/s",
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "compile": options.compile,
        "threads": options.threads,
        "version": torch.__version__,
        "first_loss": round(losses[0], 5),
        "last_loss": round(losses[-1], 5),
    }))


if __name__ == "__main__":
    main()
