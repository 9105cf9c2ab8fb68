"""Runs the program as a user would, on a tiny world of its own: a text, a tokenizer, shards and a model, made once.

`fude(...)` runs it to the end and returns a Result; Case.fails(result, code, *words) is what every mistake must look
like: that exit code, and one message, the last line on standard error, that names these words.
"""

import atexit
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest

PROGRAM = os.environ.get("FUDE_PROGRAM", "build/release/fude")
DONE, FAILED, USAGE, NO_MEMORY = 0, 1, 2, 3
SHAPE = {"--width": 32, "--layers": 2, "--heads": 2, "--kv-heads": 1, "--head-size": 16, "--feed-forward": 64, "--context": 64,
         "--row-tokens": 64, "--rows": 4, "--steps": 4}


class Result:
    def __init__(self, arguments, code, out, err):
        self.arguments, self.code, self.out, self.err = arguments, code, out, err

    def __repr__(self):
        return f"fude {' '.join(map(str, self.arguments))}\nexit code {self.code}\n{self.out[-2000:]}\n{self.err[-2000:]}"

    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


def fude(*arguments, stdin=b"", timeout=120, limit=None, environment=None, folder=None):
    """Runs `fude arguments…`; `limit` is called in the child before it starts."""
    done = subprocess.run([os.path.abspath(PROGRAM), *map(str, arguments)], input=stdin, capture_output=True, timeout=timeout,
                          preexec_fn=limit, env={**os.environ, **(environment or {})}, cwd=folder)
    return Result(arguments, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fude-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def succeeds(self, result):
        self.assertEqual(result.code, DONE, result)
        return result

    def fails(self, result, code, *words):
        """One message, this code, these words; what came before (progress, the memory plan) has lines of its own."""
        self.assertEqual(result.code, code, result)
        messages = [line for line in result.err.splitlines() if line.startswith("fude: ")]
        self.assertEqual(len(messages), 1, result)
        self.assertEqual(result.err.splitlines()[-1], messages[0], result)
        for word in words:
            self.assertIn(str(word), messages[0], result)
        return result


def sentences(count, seed=1):
    """A text with something to learn in it, in two scripts."""
    draw = random.Random(seed)
    people, places = ["Alice", "Bob", "花子", "Chen"], ["a red house", "the old mill", "東京", "a boat"]
    return "".join(f"{draw.choice(people)} lives in {draw.choice(places)}, number {draw.randrange(100)}.\n\n" for _ in range(count))


class World:
    """text, tokenizer/, shards/ and run/model/ in one folder."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fude-world-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.text, self.tokenizer, self.shards, self.run = (self.folder / n for n in ("text", "tokenizer", "shards", "run"))
        self.model = self.run / "model"
        self.text.mkdir()
        for i in range(8):
            (self.text / f"{i}.txt").write_text(sentences(200, seed=i))
        self.need("tokenizer", self.text, "--out", self.tokenizer, "--vocabulary", 400)
        self.need("shards", self.text, "--tokenizer", self.tokenizer, "--out", self.shards)
        self.need(*self.training(self.run))

    def training(self, out, shards=None, **options):
        """A small training run: `fude train …`; options by name, as in steps=6."""
        settings = {"--data": shards or self.shards, "--tokenizer": self.tokenizer, "--out": out, **SHAPE}
        settings.update({"--" + name.replace("_", "-"): value for name, value in options.items()})
        return ["train", *(word for pair in settings.items() for word in pair)]

    def slow_model(self):
        """Untrained, with a long context, and slow enough to be stopped in the middle of an answer."""
        run = self.folder / "slow"
        if not run.exists():
            self.need(*self.training(run, width=320, layers=6, heads=4, kv_heads=4, head_size=64, feed_forward=1024, context=8192, steps=1))
        return run / "model"

    @staticmethod
    def need(*arguments):
        result = fude(*arguments)
        if result.code != DONE:
            raise AssertionError(result)


_world = None


def world():
    global _world
    if _world is None:
        _world = World()
    return _world
