"""No room on the disk, no memory: one message and a code of its own, and what was saved before is unharmed."""

import os
import re
import resource
import subprocess
import unittest

from harness import DONE, FAILED, NO_MEMORY, PROGRAM, Case, fude, sentences, world


def file_limit(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def memory_limit(size):
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size))


def snapshot(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


class FullDisk(Case):
    def commands(self, out):
        w = world()
        return {
            "tokenizer": ("tokenizer", w.text, "--out", out / "tokenizer", "--vocabulary", 500),
            "shards": ("shards", w.text, "--tokenizer", w.tokenizer, "--out", out / "shards"),
            "train": w.training(out / "run", steps=6, save_every=2),
        }

    def test_files_may_not_grow(self):
        for name, command in self.commands(self.folder).items():
            for size in (0, 100, 4096):
                with self.subTest(command=name, size=size):
                    self.fails(fude(*command, limit=file_limit(size)), FAILED, "File too large")
            self.assertFalse(list(self.folder.rglob("*.partial")), name)
            self.succeeds(fude(*command))

    def test_later_checkpoints_leave_earlier_ones(self):
        self.succeeds(fude(*world().training(self.folder / "run", steps=6)))
        expected = (self.folder / "run/model/model.safetensors").read_bytes()
        run = self.folder / "again"
        command = world().training(run, steps=6, save_every=2, keep=0)
        self.fails(fude(*command, limit=file_limit(100)), FAILED)
        self.succeeds(fude(*command))
        saved = snapshot(run)
        # Another run into the same folder may write nothing: all that was there is still there, and goes on.
        for path in [*run.glob("checkpoint-00000006/*"), *run.glob("model/*")]:
            path.unlink()
        (run / "checkpoint-00000006").rmdir()
        self.fails(fude(*command, limit=file_limit(100)), FAILED)
        now = snapshot(run)
        for path, content in saved.items():
            if path.parts[0] in ("checkpoint-00000002", "checkpoint-00000004"):
                self.assertEqual(now[path], content, path)
        self.succeeds(fude(*command))
        self.assertEqual((run / "model/model.safetensors").read_bytes(), expected)

    def test_small_file_system(self):
        if os.geteuid() != 0:
            raise unittest.SkipTest("mounting needs root")
        disk = self.folder / "disk"
        disk.mkdir()
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k", "fude-test", disk], capture_output=True)
        if mount.returncode != 0:
            raise unittest.SkipTest("mount is not allowed here")
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        w = world()
        self.fails(fude(*w.training(disk / "run", steps=50, save_every=1, keep=0)), FAILED, "No space left")
        whole = [p for p in disk.glob("run/checkpoint-*") if p.suffix != ".partial"]
        self.assertTrue(whole)
        for folder in whole:
            self.succeeds(fude("generate", folder, "--prompt", "Alice", "--max-tokens", 2))
        with self.assertRaises(OSError), open(disk / "rest", "wb", buffering=0) as rest:
            while rest.write(bytes(4096)):
                pass
        self.fails(fude("shards", w.text, "--tokenizer", w.tokenizer, "--out", disk / "shards"), FAILED, "No space left")
        self.fails(fude("tokenizer", w.text, "--out", disk / "tokenizer", "--vocabulary", 400), FAILED, "No space left")

    def test_more_tokens_than_can_be_counted(self):
        self.fails(fude(*world().training(self.folder / "run", rows=40_000_000)), FAILED, "2^31", "40000000 rows of 64")

    def test_output_cannot_be_written(self):
        for command in (("generate", world().model, "--prompt", "Bob", "--max-tokens", "3"), ("--help",), ("chat", "--help"), ("--version",)):
            with self.subTest(command=command), open("/dev/full", "w") as full:
                done = subprocess.run([PROGRAM, *command], stdout=full, stderr=subprocess.PIPE)
                self.assertEqual(done.returncode, FAILED)
                self.assertEqual(done.stderr.decode().count("\n"), 1)


class NotEnoughMemory(Case):
    def test_limits(self):
        w = world()
        big = w.training(self.folder / "run", width=4096, layers=80, heads=32, kv_heads=32, head_size=128, feed_forward=16384, steps=1)
        self.fails(fude(*big), NO_MEMORY, "not enough memory", "training")
        self.assertFalse(list(self.folder.glob("run/*")))

    def test_the_plan_is_what_is_used(self):
        """Within 2 %."""
        w = world()
        middle = dict(width=256, layers=4, heads=4, kv_heads=4, feed_forward=768, rows=8, row_tokens=256, context=256, steps=3)
        runs = {
            "small": w.training(self.folder / "small", width=128, layers=4, heads=4, kv_heads=2, feed_forward=384, rows=12, row_tokens=256,
                                context=256, steps=8, save_every=3),
            "muon": [*w.training(self.folder / "muon", **middle), "--muon"],
            "gpt2": w.training(self.folder / "gpt2", family="gpt2", head_size=64, **middle),
            "bf16": w.training(self.folder / "bf16", compute="bf16", **middle),
            "checkpointed": [*w.training(self.folder / "checkpointed", **{**middle, "rows": 48}), "--checkpoint-activations"],
            "blocks": [*w.training(self.folder / "blocks", **{**middle, "rows": 4}), "--blocks", 3],
            "slots": [*w.training(self.folder / "slots", **{**middle, "rows": 4}), "--blocks", 4, "--gradient-slots", 2],
            "large": w.training(self.folder / "large", width=512, layers=4, heads=8, kv_heads=8, feed_forward=1536, rows=8, steps=2),
        }
        chat = '{"messages": [{"role": "user", "content": "%s"}, {"role": "assistant", "content": "%s"}]}\n' % ("Who?", "Alice.")
        runs["adapter"] = ("sft", self.folder / "middle/model", "--data", self.write("chats.jsonl", chat * 4000), "--out", self.folder / "adapter",
                           "--lora", 16, "--rows", 24, "--row-tokens", 256, "--steps", 2)
        self.succeeds(fude(*w.training(self.folder / "middle", **middle)))
        for name, run in runs.items():
            with self.subTest(run=name):
                lines = self.succeeds(fude(*run)).err
                plan, used = (float(re.search(words + r" ([\d.]+) MiB", lines).group(1)) for words in ("memory plan:", "memory used"))
                self.assertGreater(used, 100)
                self.assertAlmostEqual(plan, used, delta=0.02 * plan)

    def test_address_space(self):
        """Whatever the limit, it works or says so (from where the libraries can be loaded)."""
        w = world()
        self.write("big.txt", sentences(60000))
        commands = {
            "tokenizer": ("tokenizer", self.folder / "big.txt", "--out", self.folder / "t", "--vocabulary", 400),
            "shards": ("shards", self.folder / "big.txt", "--tokenizer", w.tokenizer, "--out", self.folder / "s"),
            "train": w.training(self.folder / "r", rows=256, steps=1),
            "generate": ("generate", w.model, "--prompt", "Alice", "--max-tokens", 3),
        }
        codes = set()
        for name, command in commands.items():
            for mebibytes in (32, 36, 40, 64, 100, 200):
                with self.subTest(command=name, mebibytes=mebibytes):
                    result = fude(*command, "--threads", 1, limit=memory_limit(mebibytes << 20))
                    codes.add(result.code)
                    if result.code != DONE:
                        self.fails(result, NO_MEMORY)
                        self.assertRegex(result.err.splitlines()[-1], "memory|addresses", result)
        self.assertEqual(codes, {DONE, NO_MEMORY})
