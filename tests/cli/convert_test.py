"""fude convert and fude quantize: a model goes from folder to file and back, and answers as before."""

import json
import shutil
import unittest

from adapter_test import AdapterCase
from harness import DONE, FAILED, USAGE, fude, world


def scores(model, *more):
    result = fude("score", model, "--text", "Alice lives in 東京, number 42.", "--logprobs", *more)
    assert result.code == DONE and result.out, result
    return result.lines()


class Convert(AdapterCase):
    def test_there_and_back(self):
        file, back = self.folder / "model.gguf", self.folder / "back"
        self.succeeds(fude("convert", world().model, file))
        self.succeeds(fude("convert", file, back))
        expected = scores(world().model)
        self.assertGreater(len(expected), 4)
        self.assertEqual(scores(file), expected)
        self.assertEqual(scores(back), expected)
        for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "generation_config.json"):
            self.assertTrue((back / name).exists(), name)
        facts = self.succeeds(fude("info", file, "--json")).lines()[0]
        self.assertEqual((facts["metadata"]["general.name"], facts["metadata"]["general.file_type"]), ("model", 0))
        dotted = self.folder / "tiny-0.6b"
        back.rename(dotted)
        self.succeeds(fude("convert", dotted, file))
        self.assertEqual(fude("info", file, "--json").lines()[0]["metadata"]["general.name"], "tiny-0.6b")
        dotted.rename(back)
        self.assertEqual(json.loads((back / "tokenizer_config.json").read_text()).get("chat_template"),
                         json.loads((world().model / "tokenizer_config.json").read_text()).get("chat_template"))

    def test_the_padding_and_the_unknown_token_come_back(self):
        folder, file, back = self.folder / "given", self.folder / "model.gguf", self.folder / "back"
        shutil.copytree(world().model, folder)
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
        padding = tokenizer["added_tokens"][-1]
        unknown = tokenizer["added_tokens"][0]["content"]
        tokenizer["model"]["unk_token"] = unknown
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
        config = json.loads((folder / "tokenizer_config.json").read_text())
        (folder / "tokenizer_config.json").write_text(json.dumps({**config, "pad_token": padding["content"]}))
        self.succeeds(fude("convert", folder, file))
        self.succeeds(fude("convert", file, back))
        written = json.loads((back / "tokenizer_config.json").read_text())
        self.assertEqual((written["pad_token"], written["unk_token"]), (padding["content"], unknown))
        self.assertEqual(json.loads((back / "config.json").read_text())["pad_token_id"], padding["id"])

    def test_types(self):
        for kind, number in (("bf16", 32), ("F16", 1), ("f32", 0)):
            with self.subTest(kind=kind):
                file, back = self.folder / f"{kind}.gguf", self.folder / kind
                self.succeeds(fude("convert", world().model, file, "--type", kind))
                facts = self.succeeds(fude("info", file, "--json")).lines()[0]
                self.assertEqual(facts["metadata"]["general.file_type"], number)
                self.assertIn(kind.upper(), facts["elements"])
                self.succeeds(fude("convert", world().model, back, "--type", kind))
                self.assertEqual(list(fude("info", back, "--json").lines()[0]["elements"]), [kind.upper()])
                # Kept as they are, 16 bits answer as their f32 values do.
                for path in (file, back):
                    self.assertEqual(scores(path), scores(path, "--compute", "f32"))
                    kept, wide = (fude("info", path, "--json", "--compute", c).lines()[0]["memory"]["weights_bytes"] for c in ("file", "f32"))
                    self.assertLess(kept / wide, 1.01 if kind == "f32" else 0.6)
        self.fails(fude("convert", world().model, self.folder / "x.gguf", "--type", "q4_0"), USAGE, "--type")

    def test_quantize(self):
        full, small = self.folder / "full.gguf", self.folder / "small.gguf"
        self.succeeds(fude("convert", world().model, full))
        self.succeeds(fude("quantize", world().model, small, "--type", "Q8_0"))
        once = small.read_bytes()
        self.succeeds(fude("quantize", full, small, "--type", "q8_0", "--threads", 1))
        facts = self.succeeds(fude("info", small, "--json")).lines()[0]
        self.assertEqual(set(facts["elements"]), {"F32", "Q8_0"})
        self.assertEqual(facts["metadata"]["general.file_type"], 7)
        self.assertEqual(len(small.read_bytes()), len(once))
        near, far = scores(small)[-1]["logprob"], scores(full)[-1]["logprob"]
        self.assertLess(abs(near - far), 0.05 * abs(far))
        self.assertNotEqual(near, far)
        # The same type is copied; another would lose more than the original.
        again = self.folder / "again.gguf"
        self.succeeds(fude("quantize", small, again, "--type", "Q8_0"))
        self.assertEqual(again.read_bytes(), small.read_bytes())
        self.fails(fude("quantize", small, again, "--type", "Q4_0"), FAILED, "--allow-requantize")
        self.succeeds(fude("quantize", small, again, "--type", "Q4_0", "--allow-requantize"))
        # Plain numbers are what the blocks decode to.
        plain = self.folder / "plain.gguf"
        self.succeeds(fude("quantize", small, plain, "--type", "F32"))
        self.assertEqual(scores(plain), scores(small, "--compute", "f32"))
        # Quantised weights become f32 in a folder, bit for bit; multiplied as integers they are only near.
        self.succeeds(fude("convert", small, self.folder / "back"))
        self.assertEqual(scores(self.folder / "back"), scores(small, "--compute", "f32"))
        self.assertNotEqual(scores(self.folder / "back"), scores(small))

    def test_a_folder_is_a_model_once_all_of_it_is_there(self):
        for name, more in (("plain", ()), ("merged", ("--adapter", self.adapter()))):
            with self.subTest(name):
                folder = self.folder / name
                (folder / "tokenizer.json").mkdir(parents=True)  # no file takes its place
                self.fails(fude("convert", world().model, folder, *more), FAILED, "tokenizer.json")
                self.assertFalse((folder / "config.json").exists())

    def test_a_tokenizer_that_cannot_be_written_ends_it_before_it_begins(self):
        file = self.folder / "model.gguf"
        self.succeeds(fude("convert", world().model, file))
        self.assertEqual(file.read_bytes().count(b"{% for message"), 1)
        file.write_bytes(file.read_bytes().replace(b"{% for message", b"{% for mess\xffge"))
        for name, more in (("plain", ()), ("merged", ("--adapter", self.adapter()))):
            with self.subTest(name):
                self.fails(fude("convert", file, self.folder / name, *more), FAILED, "UTF-8")
                self.assertFalse((self.folder / name).exists())

    def test_mistakes(self):
        out = self.folder / "x.gguf"
        self.fails(fude("quantize", world().model, out, "--type", "Q9"), USAGE, "--type", "Q4_K_M", "Q9")
        self.fails(fude("quantize", world().model, self.folder / "x", "--type", "Q8_0"), FAILED, ".gguf")
        self.fails(fude("quantize", world().model, out), USAGE, "--type")
        self.fails(fude("convert", self.folder / "none", out), FAILED, "none")
        self.succeeds(fude("convert", world().model, out))
        self.fails(fude("convert", out, out), FAILED, "written over")
        self.fails(fude("convert", world().model, world().model), FAILED, "written over")


if __name__ == "__main__":
    unittest.main()
