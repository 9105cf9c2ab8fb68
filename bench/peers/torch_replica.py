"""PyTorch trains the model that Fude trains, on the very batches that Fude took.

    python3 torch_replica.py --model FOLDER --config replica.json --order order.bin --log log.jsonl

FOLDER is the Hugging Face folder that Fude saved before its first step (any decoder whose
attention goes through transformers' attention interface, and that takes position_ids:
Qwen3, Llama).

`order.bin` is one record per optimiser step, all little-endian int32:

    N  S  tokens[N]  targets[N]  positions[N]  sequence_starts[S + 1]

S sequences lie one after the other in N tokens; sequence_starts begins with 0 and ends with
N. A target of -1 is not learnt from; the loss of a step is the mean over all others of its
record. A token attends to the tokens before it in its own sequence, itself included.
Validation files have the same form; the loss is the mean over the targets of all records.

`replica.json` gives the rest; only `rates`, the learning rate of every step, has no default:

    {"rates": [1e-5, 2e-5, ...], "betas": [0.9, 0.95], "eps": 1e-8, "weight_decay": 0.1,
     "clip": 1.0, "validation": {"NAME": {"file": "validation-NAME.bin", "bytes": 0}}}

The files of validation lie beside it; `bytes` says how many bytes of text the targets stand for.
`fude train --export FOLDER` writes all of these files: model/, order.bin, validation-NAME.bin, replica.json.
Weight decay is decoupled and falls on tensors of two dimensions and more, embeddings too.
The gradients are clipped by their global norm; a clip of 0 leaves them be.

Every step appends a line of JSON to the log: step, loss, lr, grad_norm, tokens (of the step
and so far), seconds (of the step, reading included, and so far; validation left out). A
validation appends step and validation, {NAME: {loss, bits_per_byte}}.

Sequences of a record stay packed: only attention is taken sequence by sequence, those of
one length together, so no work goes into padding. --micro splits a record at sequence ends
into pieces of about that many tokens and accumulates, which bounds the memory of the logits.
"""

import argparse
import contextlib
import json
import math
import os
import resource
import time

import numpy as np
import torch
import torch.nn.functional as F
import transformers

transformers.logging.set_verbosity_error()
DEFAULTS = dict(betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1, clip=1.0, validation={})


class Record:
    """Sequences in one row, and which of them have one length."""

    def __init__(self, tokens, targets, positions, starts):
        self.tokens, self.targets, self.positions, self.starts = tokens, targets, positions, starts
        lengths = {}
        for begin, end in zip(starts[:-1].tolist(), starts[1:].tolist()):
            if end > begin:
                lengths.setdefault(end - begin, []).append(begin)
        self.groups = []  # (length, count, slice or index of its tokens)
        for length, begins in sorted(lengths.items()):
            count = len(begins)
            if all(b - a == length for a, b in zip(begins, begins[1:])):
                where = slice(begins[0], begins[0] + length * count)
            else:
                where = (torch.tensor(begins)[:, None] + torch.arange(length)).reshape(-1)
            self.groups.append((length, count, where))
        self.place = None  # where every token is once the groups are one after the other
        if len(self.groups) > 1:
            order = torch.cat([
                torch.arange(w.start, w.stop) if isinstance(w, slice) else w for _, _, w in self.groups])
            self.place = torch.empty_like(order)
            self.place[order] = torch.arange(len(order))

    def pieces(self, limit):
        """The record itself, or parts of whole sequences with at most `limit` tokens (or one sequence)."""
        if not limit or len(self.tokens) <= limit:
            return [self]
        starts, cuts = self.starts.tolist(), [0]
        for i in range(1, len(starts)):
            if starts[i] - starts[cuts[-1]] > limit and i - 1 > cuts[-1]:
                cuts.append(i - 1)
        cuts.append(len(starts) - 1)
        parts = []
        for a, b in zip(cuts, cuts[1:]):
            span = slice(starts[a], starts[b])
            parts.append(Record(self.tokens[span], self.targets[span], self.positions[span],
                                self.starts[a : b + 1] - starts[a]))
        return parts


def records(path):
    """The records of a file, read one by one."""
    with open(path, "rb") as file:
        number = 0
        while head := file.read(8):
            if len(head) != 8:
                raise SystemExit(f"{path}: record {number} is cut short")
            n, s = np.frombuffer(head, "<i4").tolist()
            body = np.fromfile(file, "<i4", 3 * n + s + 1) if n > 0 and s > 0 else np.empty(0, "<i4")
            if len(body) != 3 * n + s + 1:
                raise SystemExit(f"{path}: record {number} (N={n}, S={s}) is cut short or not valid")
            body = torch.from_numpy(body.astype(np.int64))
            starts = body[3 * n :]
            if starts[0] != 0 or starts[-1] != n or (starts.diff() < 0).any():
                raise SystemExit(f"{path}: record {number} has sequence starts that do not span it")
            yield Record(body[:n], body[n : 2 * n], body[2 * n : 3 * n], starts)
            number += 1


current = None  # the record whose attention is being taken


@torch.compiler.disable
def attention(module, query, key, value, attention_mask=None, scaling=None, **_):
    """Causal within every sequence of `current`: [1, heads, N, head] -> [1, N, heads, head]"""
    def take(x, length, count, where):  # [count, heads, length, head]
        x = x[0, :, where]
        return x.reshape(x.shape[0], count, length, x.shape[-1]).transpose(0, 1)

    def attend(group):
        q, k, v = (take(x, *group) for x in (query, key, value))
        y = F.scaled_dot_product_attention(
            q, k, v, is_causal=True, scale=scaling, enable_gqa=q.shape[1] != k.shape[1])
        return y.transpose(1, 2).reshape(-1, q.shape[1], v.shape[-1])

    parts = [attend(group) for group in current.groups]
    together = parts[0] if current.place is None else torch.cat(parts).index_select(0, current.place)
    return together[None], None


transformers.AttentionInterface.register("packed", attention)
transformers.AttentionMaskInterface.register("packed", lambda *_, **__: None)


class Replica:
    def __init__(self, options, settings):
        self.options, self.settings = options, settings
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            options.model, dtype=torch.float32, attn_implementation="packed", local_files_only=True)
        self.model.config.use_cache = False
        self.model.train()  # these families have no dropout unless the config asks for it
        self.body = torch.compile(self.model.model, dynamic=True) if options.compile else self.model.model
        parameters = list(self.model.parameters())
        self.optimiser = torch.optim.AdamW(
            [
                dict(params=[p for p in parameters if p.dim() >= 2], weight_decay=settings["weight_decay"]),
                dict(params=[p for p in parameters if p.dim() < 2], weight_decay=0.0),
            ],
            lr=settings["rates"][0], betas=tuple(settings["betas"]), eps=settings["eps"], fused=True)

    def loss(self, record):
        """The sum of the losses over the targets of the record."""
        global current
        current = record
        learnt = (record.targets >= 0).nonzero().squeeze(1)
        bf16 = self.options.bf16
        with torch.autocast("cpu", dtype=torch.bfloat16) if bf16 else contextlib.nullcontext():
            hidden = self.body(
                input_ids=record.tokens[None], position_ids=record.positions[None], use_cache=False
            ).last_hidden_state[0]
            if len(learnt) < len(hidden):
                hidden = hidden[learnt]
            logits = self.model.lm_head(hidden)
        return F.cross_entropy(logits.float(), record.targets[learnt], reduction="sum")

    def step(self, record, number):
        rate = self.settings["rates"][number]
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        count = int((record.targets >= 0).sum())
        total = 0.0
        for piece in record.pieces(self.options.micro):
            loss = self.loss(piece) / max(1, count)
            loss.backward()
            total += loss.item()
        gradients = [p.grad for p in self.model.parameters()]
        # Summed in float64: the float32 sum of clip_grad_norm_ came out 2e-5 too small for a table of 2 M entries.
        norm = torch.stack([torch.linalg.vector_norm(g, dtype=torch.float64) for g in gradients]).norm()
        limit = self.settings["clip"] or math.inf
        torch._foreach_mul_(gradients, min(1.0, limit / (norm.item() + 1e-6)))
        self.optimiser.step()
        return total, rate, norm.item()

    @torch.no_grad()
    def validate(self):
        result = {}
        self.model.eval()
        for name, entry in self.settings["validation"].items():
            total, count = 0.0, 0
            for record in records(os.path.join(os.path.dirname(self.options.config), entry["file"])):
                for piece in record.pieces(self.options.micro):
                    total += self.loss(piece).item()
                    count += int((piece.targets >= 0).sum())
            result[name] = {"loss": total / count}
            if entry["bytes"]:
                result[name]["bits_per_byte"] = total / math.log(2) / entry["bytes"]
        self.model.train()
        return {"validation": result}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--config", required=True)
    parser.add_argument("--order", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--validate-every", type=int, default=0, help="steps; always before the first and after the last")
    parser.add_argument("--steps", type=int, help="stop after so many")
    parser.add_argument("--micro", type=int, default=16384, help="tokens to take at a time; 0 takes the record whole")
    parser.add_argument("--bf16", action="store_true", help="autocast to bfloat16; weights and AdamW stay float32")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save", help="folder for the trained model")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    with open(options.config) as file:
        given = json.load(file)
    unknown = set(given) - set(DEFAULTS) - {"rates"}
    if unknown or "rates" not in given:
        parser.error(f"{options.config}: expected rates; unknown {sorted(unknown)}")
    settings = DEFAULTS | given
    replica = Replica(options, settings)
    wanted = len(settings["rates"]) if options.steps is None else min(options.steps, len(settings["rates"]))

    with open(options.log, "w") as log:
        def write(entry):
            log.write(json.dumps(entry) + "\n")
            log.flush()

        def validate(step):
            start = time.perf_counter()
            result = {"step": step} | replica.validate() | {"seconds": round(time.perf_counter() - start, 3)}
            write(result)
            return result

        done, tokens, elapsed, last = 0, 0, 0.0, None
        if settings["validation"]:
            last = validate(0)
        source = records(options.order)
        while done < wanted:
            start = time.perf_counter()
            record = next(source, None)
            if record is None:
                break
            loss, rate, norm = replica.step(record, done)
            seconds = time.perf_counter() - start
            elapsed += seconds
            tokens += len(record.tokens)
            write({
                "step": done, "loss": loss, "lr": rate, "grad_norm": norm,
                "tokens": len(record.tokens), "tokens_so_far": tokens,
                "seconds": round(seconds, 4), "seconds_so_far": round(elapsed, 3),
            })
            done += 1
            if settings["validation"] and (done == wanted or options.validate_every and done % options.validate_every == 0):
                last = validate(done)
        if last and last["step"] != done:
            last = validate(done)

    if options.save:
        replica.model.save_pretrained(options.save)
    summary = {
        "steps": done, "tokens": tokens, "seconds": round(elapsed, 3),
        "tokens_per_second": round(tokens / elapsed, 1) if elapsed else 0,
        "last_loss": loss if done else None,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "version": torch.__version__,
    }
    if last:
        summary |= {k: v for k, v in last.items() if k not in ("step", "seconds")}
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
