"""The page in a real browser: Chromium, driven by Playwright out of build/venv (docs/api.md). Skipped where one of them is missing."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "serve_clients"))

from live import server  # noqa: E402

PYTHON = pathlib.Path(os.environ.get("FUDE_SDK_FOLDER", HERE.parent.parent / "build")) / "venv/bin/python"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if BROWSER is None:
            raise unittest.SkipTest("no chromium")
        if not PYTHON.exists() or subprocess.run([PYTHON, "-c", "import playwright"], capture_output=True).returncode:
            raise unittest.SkipTest(f"no playwright in {PYTHON}")
        done = subprocess.run([PYTHON, HERE / "page.py", BROWSER, server().url], capture_output=True, text=True, timeout=300)
        cls.problems = {line["name"]: line["problem"] for line in map(json.loads, done.stdout.splitlines())}
        cls.end = done.stderr[-2000:]


def add(name):
    def test(self):
        self.assertIn(name, self.problems, self.end)
        self.assertIsNone(self.problems[name], self.problems[name])

    setattr(Page, f"test_{name}", test)


for found in re.findall(r"^def check_(\w+)", (HERE / "page.py").read_text(), re.MULTILINE):
    add(found)
