"""--adapter wherever a model speaks, and fude embed: as their user meets them."""

import json
import math
import pathlib
import random
import signal
import struct
import subprocess

from harness import FAILED, PROGRAM, USAGE, Case, fude, sentences, world

CONFIG = {"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": ["q_proj", "down_proj"], "bias": "none", "use_dora": False}


def safetensors(tensors):
    """name → (shape, values), in F32."""
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        begin = len(data)
        data += struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


class AdapterCase(Case):
    def adapter(self, seed=1, rank=4, **config):
        draw = random.Random(seed)
        tensors = {}
        for module, inputs, outputs in (("self_attn.q_proj", 32, 32), ("mlp.down_proj", 64, 32)):
            for layer in range(2):
                stem = f"base_model.model.model.layers.{layer}.{module}.lora_"
                for part, shape in (("A", [rank, inputs]), ("B", [outputs, rank])):
                    tensors[f"{stem}{part}.weight"] = (shape, [draw.gauss(0, 0.5) for _ in range(shape[0] * shape[1])])
        folder = self.folder / f"adapter{seed}"
        folder.mkdir(exist_ok=True)
        (folder / "adapter_config.json").write_text(json.dumps(CONFIG | config))
        (folder / "adapter_model.safetensors").write_bytes(safetensors(tensors))
        return folder


class Adapter(AdapterCase):
    def test_it_changes_what_is_said_and_guessing_does_not(self):
        run = ("generate", world().model, "--prompt", "Alice lives in", "--max-tokens", 40, "--temperature", 0)
        plain = self.succeeds(fude(*run)).out
        one, two = (self.succeeds(fude(*run, "--adapter", self.adapter(seed))).out for seed in (1, 2))
        self.assertEqual(len({plain, one, two}), 3)
        self.assertEqual(self.succeeds(fude(*run, "--adapter", self.adapter(1), "--drafts", 4, "--threads", 1)).out, one)
        self.assertEqual(self.succeeds(fude(*run, "--adapter", self.adapter(1), "--drafts", 4, "--draft-model", world().model)).out, one)
        silent = self.adapter(1, lora_alpha=0)
        self.assertEqual(self.succeeds(fude(*run, "--adapter", silent)).out, plain)

    def test_chat_score_and_perplexity(self):
        chat = ("chat", world().model, "--max-tokens", 12, "--temperature", 0)
        plain = self.succeeds(fude(*chat, stdin=b"Hello\n")).out
        self.assertNotEqual(self.succeeds(fude(*chat, "--adapter", self.adapter(), stdin=b"Hello\n")).out, plain)
        score = ("score", world().model, "--text", "Alice lives in the old mill.", "--json")
        self.assertNotEqual(self.succeeds(fude(*score, "--adapter", self.adapter())).lines(), self.succeeds(fude(*score)).lines())
        text = self.write("text", sentences(20))
        run = ("perplexity", world().model, "--in", text, "--context", 32, "--json")
        with_it, without = (self.succeeds(fude(*run, *more)).lines()[0]["perplexity"] for more in (("--adapter", self.adapter()), ()))
        self.assertGreater(with_it, without)  # what was learned is disturbed

    def test_bench(self):
        run = ("bench", "--rounds", 1, "--quick", "--filter", "decode 1", "generate", world().model, "--json")
        for more in ((), ("--adapter", self.adapter())):
            self.assertEqual([row["name"] for row in self.succeeds(fude(*run, *more)).lines()], ["decode 1"])
        self.fails(fude(*run, "--adapter", self.adapter(r=8)), FAILED, "expected rank 8, got 4")

    def test_mistakes(self):
        run = ("generate", world().model, "--prompt", "x", "--max-tokens", 4, "--adapter")
        self.fails(fude(*run, self.folder / "none"), FAILED, "[lora]", "adapter_config.json")
        self.fails(fude(*run, world().model), FAILED, "[lora]", "adapter_config.json")
        self.fails(fude(*run, self.adapter(use_dora=True)), FAILED, "use_dora")
        self.fails(fude(*run, self.adapter(r=8)), FAILED, "expected rank 8, got 4")
        self.fails(fude(*run, self.write("bad.gguf", b"GGUF")), FAILED, "bad.gguf")
        self.fails(fude(*run), USAGE, "--adapter")

    def test_info(self):
        facts = self.succeeds(fude("info", self.adapter(), "--json")).lines()[0]
        self.assertEqual((facts["kind"], facts["rank"], facts["tensors_in_file"]), ("adapter", 4, 8))
        self.fails(fude("info", self.adapter(peft_type="IA3")), FAILED, "IA3")
        golden = pathlib.Path(__file__).parent.parent / "goldens/llama/adapter/adapter.gguf"
        self.assertIn("adapter in a GGUF file", self.succeeds(fude("info", golden)).out)


class Embed(AdapterCase):
    def embed(self, *more, stdin=b""):
        return self.succeeds(fude("embed", world().model, *more, stdin=stdin)).lines()

    def test_a_vector_for_each_line(self):
        texts = ["Alice lives in a boat.", "東京", "Bob lives in the old mill, number 7."] * 30
        lines = self.embed(stdin="\r\n".join(texts).encode())
        self.assertEqual([line["line"] for line in lines], list(range(1, 91)))
        for line in lines:
            self.assertEqual(len(line["embedding"]), 32)
            self.assertAlmostEqual(math.hypot(*line["embedding"]), 1, places=5)
        self.assertEqual(lines[3]["embedding"], lines[0]["embedding"])
        self.assertNotEqual(lines[1]["embedding"], lines[0]["embedding"])
        alone = self.embed("--in", self.write("text", texts[2]), "--threads", 1)
        self.assertEqual(alone[0]["embedding"], lines[2]["embedding"])
        self.assertEqual(self.embed(stdin=b""), [])
        # Who waits for an answer gets it: no more has to be sent.
        with subprocess.Popen([PROGRAM, "embed", str(world().model)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
            for text in texts[:3]:
                running.stdin.write(text.encode() + b"\n")
                running.stdin.flush()
                self.assertEqual(len(json.loads(running.stdout.readline())["embedding"]), 32)
            running.stdin.close()
        # Blank lines are passed over, and counted.
        sparse = self.embed(stdin=texts[0].encode() + b"\n\r\n \t\n" + b"\n" * 70 + texts[2].encode() + b"\n\n")
        self.assertEqual([line["line"] for line in sparse], [1, 74])
        self.assertEqual([line["embedding"] for line in sparse], [lines[0]["embedding"], lines[2]["embedding"]])

    def test_a_signal_ends_the_wait_for_a_line(self):
        for stop in (signal.SIGINT, signal.SIGTERM):
            with subprocess.Popen([PROGRAM, "embed", str(world().model)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
                running.stdin.write(b"Alice\n")
                running.stdin.flush()
                running.stdout.readline()  # from here on it waits, or is about to
                running.send_signal(stop)
                self.assertIn(running.wait(timeout=30), (-stop, 128 + stop))

    def test_pooling_and_adapter(self):
        text = "Alice lives in a boat.".encode()
        found = [self.embed(*more, stdin=text)[0]["embedding"]
                 for more in ((), ("--pooling", "last"), ("--pooling", "cls"), ("--raw",), ("--adapter", self.adapter()))]
        for i, one in enumerate(found):
            self.assertNotIn(one, found[:i])
        raw = found[3]
        self.assertAlmostEqual(raw[0] / math.hypot(*raw), found[0][0], places=5)

    def test_mistakes(self):
        self.fails(fude("embed", world().model, "--in", self.folder / "none"), FAILED, "none")
        self.fails(fude("embed", world().model, "--in", self.folder), FAILED, "cannot be read")
        failed = self.fails(fude("embed", world().model, stdin=b"x\n" + b"long " * 500 + b"\ny\n"), FAILED, "line 2", "tokens")
        self.assertEqual([line["line"] for line in failed.lines()], [1])  # what stood before it is answered
        failed = self.fails(fude("embed", world().model, stdin=b"x\n\nAl\xffice\ny\n"), FAILED, "line 3: invalid UTF-8: at byte 2 of the line")
        self.assertEqual([line["line"] for line in failed.lines()], [1])
        self.fails(fude("embed", world().model, "--pooling", "max"), USAGE, "--pooling")
