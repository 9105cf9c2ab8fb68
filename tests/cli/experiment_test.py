"""The experiments of docs/experiments, in a size that takes seconds: that every stage runs and the pages are made."""

import json
import pathlib
import subprocess
import sys

from harness import PROGRAM, Case

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class O1(Case):
    def test_tiny(self):
        command = [sys.executable, ROOT / "bench/experiments/o1.py", PROGRAM, "--out", self.folder, "--size", "tiny"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        results = json.loads((self.folder / "results.json").read_text())
        self.assertEqual([point[0] for point in results["training"]], [0, 2, 4])
        self.assertEqual([point[0] for point in results["thinking"]], [0, 16])
        self.assertEqual([point[0] for point in results["chosen"]["best"]], [1, 4, 8])
        for curve in [results["training"], results["thinking"], *results["chosen"].values()]:
            for _, value, low, high in curve:
                self.assertLessEqual(low, value)
                self.assertLessEqual(value, high)
        self.assertEqual((self.folder / "curves.svg").read_text().count("<svg"), 6)
