"""OpenAI's own libraries as clients, where they are installed: a virtual environment build/venv with `openai` from PyPI, and
`openai` from npm in build/npm (or others below FUDE_SDK_FOLDER)."""

import os
import pathlib
import shutil
import subprocess
import unittest

from live import server

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = pathlib.Path(os.environ.get("FUDE_SDK_FOLDER", HERE.parent.parent / "build"))


class Sdk(unittest.TestCase):
    def run_client(self, *command, environment=None):
        done = subprocess.run([*map(str, command), server().url], capture_output=True, text=True, timeout=300, env={**os.environ, **(environment or {})})
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])

    def test_python(self):
        python = FOLDER / "venv/bin/python"
        if not python.exists() or subprocess.run([python, "-c", "import openai"], capture_output=True).returncode:
            self.skipTest(f"no openai in {python}")
        self.run_client(python, HERE / "sdk_python.py")

    def test_node(self):
        if not shutil.which("node") or not (FOLDER / "npm/node_modules/openai").exists():
            self.skipTest(f"no openai in {FOLDER}/npm")
        self.run_client("node", HERE / "sdk_node.mjs", environment={"FUDE_NODE_FOLDER": f"{FOLDER}/npm/"})
