"""Files that are empty, binary, cut off or changed: one message that names the file, and what was saved before stays."""

import gzip
import json
import lzma
import shutil
import subprocess

from harness import FAILED, Case, fude, sentences, world


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout


class Text(Case):
    def tokenizer(self, path, *more):
        return fude("tokenizer", path, "--out", self.folder / "out", "--vocabulary", 300, *more)

    def check(self, name, content, *words):
        path = self.write(name, content)
        self.fails(self.tokenizer(path), FAILED, *words)
        self.fails(fude("shards", path, "--tokenizer", world().tokenizer, "--out", self.folder / "shards"), FAILED, *words)
        self.assertFalse((self.folder / "out/tokenizer.json").exists())

    def test_nothing_to_read(self):
        (self.folder / "empty").mkdir()
        for name in ("none.txt", "empty"):
            self.fails(self.tokenizer(self.folder / name), FAILED, name)
        self.check("zero.txt", b"", "found none")
        self.check("blank.jsonl", b"\n\n\n", "found none")

    def test_not_text(self):
        self.check("binary.txt", bytes(range(256)) * 40, "binary.txt", "binary data")
        self.check("program.txt", b"\x7fELF\x02\x01\x01" + b"\0\xff" * 500, "program.txt")
        self.check("late.txt", sentences(50).encode() + b"\xc3(\n", "late.txt")
        self.check("table.csv", b"a,b\n", "table.csv")

    def test_cut_and_changed_archives(self):
        text = sentences(400).encode()
        for name, pack in (("a.txt.gz", gzip.compress), ("a.txt.xz", lzma.compress), ("a.txt.zst", zstd)):
            whole = pack(text)
            self.check(name, whole[:len(whole) * 2 // 3], name)
            self.check(name, whole[:5], name)
            self.check(name, whole[:40] + bytes(b ^ 0x55 for b in whole[40:60]) + whole[60:], name)
            self.check(name, b"not an archive at all", name)
            self.write(name, whole)
            self.succeeds(self.tokenizer(self.folder / name))
            shutil.rmtree(self.folder / "out")

    def test_json_lines(self):
        good = json.dumps({"text": "A good line. " * 20})
        self.check("a.jsonl", f'{good}\n{{"text": \n', "a.jsonl:2")
        self.check("b.jsonl", f'{good}\n{good}\n{{"body": "x"}}\n', "b.jsonl:3", "text")
        self.check("c.jsonl", f"{good}\n[1, 2]\n", "c.jsonl:2")
        self.check("d.jsonl", f'{good}\n{{"text": 3}}\n', "d.jsonl:2")
        self.check("e.jsonl", good + "\n" + "[" * 100000 + "\n", "e.jsonl:2")

    def test_skipped_when_asked(self):
        (self.folder / "mixed").mkdir()
        self.write("mixed/good.txt", sentences(300))
        self.write("mixed/binary.txt", b"\xff\xfe" * 100)
        self.write("mixed/cut.txt.gz", gzip.compress(sentences(50).encode())[:60])
        self.fails(self.tokenizer(self.folder / "mixed"), FAILED)
        shards = ("shards", self.folder / "mixed", "--tokenizer", world().tokenizer, "--out", self.folder / "s")
        for result in (self.tokenizer(self.folder / "mixed", "--skip-bad"), fude(*shards, "--skip-bad")):
            lines = self.succeeds(result).err.splitlines()
            self.assertEqual([line for line in lines if "skipped" in line], ["skipped 1: corrupt file", "skipped 1: invalid UTF-8"], result)


class Saved(Case):
    """Tokenizers, shards, checkpoints and models that were damaged."""

    def copy(self, source, name):
        target = self.folder / name
        shutil.copytree(source, target)
        return target

    def damage(self, path, use, *words):
        """The file cut at several places, and all zeros: `use()` has to refuse each."""
        whole = path.read_bytes()
        for cut in (0, 1, len(whole) // 2, len(whole) - 2):  # the last byte of JSON is a newline
            path.write_bytes(whole[:cut])
            self.fails(use(), FAILED, *words)
        path.write_bytes(bytes(len(whole)))
        self.fails(use(), FAILED, *words)
        path.write_bytes(whole)

    def flip(self, path, at):
        data = bytearray(path.read_bytes())
        data[at] ^= 0x10
        path.write_bytes(data)

    def test_tokenizer(self):
        folder = self.copy(world().tokenizer, "tokenizer")
        self.damage(folder / "tokenizer.json", lambda: fude("shards", world().text, "--tokenizer", folder, "--out", self.folder / "s"), "tokenizer.json")
        self.assertFalse((self.folder / "s").exists())

    def test_shards(self):
        shards = self.copy(world().shards, "shards")
        train = lambda: fude(*world().training(self.folder / "run", shards=shards, steps=1))
        self.damage(shards / "shards.json", train, "shards.json")
        self.damage(shards / "00000.shard", train, "00000.shard")
        for at in (0, 9, 30, 100, 110, 1000, -100, -1):
            self.flip(shards / "00000.shard", at)
            self.fails(train(), FAILED, "00000.shard")
            self.flip(shards / "00000.shard", at)
        self.assertFalse(list(self.folder.glob("run/checkpoint-*")))
        self.succeeds(train())

    def test_unfinished_shards(self):
        shards = self.copy(world().shards, "shards")
        state = json.loads((shards / "shards.json").read_text())
        state["complete"] = False
        (shards / "shards.json").write_text(json.dumps(state))
        self.fails(fude(*world().training(self.folder / "run", shards=shards)), FAILED, shards)

    def test_checkpoint(self):
        run = self.copy(world().run, "run")
        state, = run.glob("checkpoint-*/state.fude")
        train = lambda: fude(*world().training(run))
        before = (run / "model/model.safetensors").read_bytes()
        self.damage(state, train, "state.fude")
        for at in (0, 9, 20, 200, 5000, -1):
            self.flip(state, at)
            self.fails(train(), FAILED, "state.fude")
            self.flip(state, at)
        self.assertEqual((run / "model/model.safetensors").read_bytes(), before)
        self.succeeds(train())
        self.assertEqual((run / "model/model.safetensors").read_bytes(), before)

    def test_the_checkpoint_before_a_damaged_one(self):
        run = self.folder / "run"
        train = lambda: fude(*world().training(run, steps=4, save_every=2))
        self.succeeds(train())
        whole = (run / "model/model.safetensors").read_bytes()
        self.flip(run / "checkpoint-00000004/state.fude", 5000)
        self.fails(train(), FAILED, "state.fude", "damaged", f"remove {run}/checkpoint-00000004", f"goes on from {run}/checkpoint-00000002")
        shutil.rmtree(run / "checkpoint-00000004")
        self.succeeds(train())
        self.assertEqual((run / "model/model.safetensors").read_bytes(), whole)

    def test_another_run(self):
        run = self.copy(world().run, "run")
        for change in ({"seed": 5}, {"learning_rate": 0.5}, {"width": 48}, {"family": "llama"}, {"rope_theta": 5000}, {"beta2": 0.9}):
            self.fails(fude(*world().training(run, **change)), FAILED, "another run")
        self.fails(fude(*world().training(run, learning_rate=0.5)), FAILED, "'learning_rate' was", "now it is 0.5")

    def test_model(self):
        model = self.copy(world().model, "model")
        generate = lambda: fude("generate", model, "--prompt", "Alice", "--max-tokens", 2)
        self.succeeds(generate())
        self.damage(model / "config.json", generate, "config.json")
        self.damage(model / "model.safetensors", generate, "model.safetensors")
        self.damage(model / "tokenizer.json", generate, "tokenizer.json")
        config = json.loads((model / "config.json").read_text())
        for key, value, word in (("model_type", "mamba", "mamba"), ("hidden_size", -1, "width"), ("hidden_size", 1 << 40, "width"),
                                 ("hidden_size", 64, ""), ("num_attention_heads", 3, "shape"), ("vocab_size", "many", "vocab_size")):
            (model / "config.json").write_text(json.dumps({**config, key: value}))
            self.fails(generate(), FAILED, word)
        (model / "config.json").unlink()
        self.fails(generate(), FAILED, "config.json")
        self.fails(fude("generate", self.folder / "nowhere"), FAILED, "nowhere")
