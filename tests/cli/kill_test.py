"""A short version of kill.py, and the signals that ask a run to stop."""

import json
import pathlib
import random
import re
import signal
import subprocess
import time

from harness import PROGRAM, Case, fude, world
from kill import stages


class Kill(Case):
    def test_every_stage(self):
        draw = random.Random(1)
        for stage in stages():
            with self.subTest(stage.name):
                self.assertEqual(stage.ordeal(draw, kills=4), "")


class Stop(Case):
    def stopped(self, *arguments, until, stop=signal.SIGINT):
        """Output and errors of a command that was sent a signal once `until` said so."""
        child = subprocess.Popen([PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until(child)
        child.send_signal(stop)
        out, err = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 128 + stop, err)
        return out, err

    def test_answers_of_an_eval_are_kept(self):
        path = self.folder / "answers.jsonl"

        def begun(child):
            """The first line of progress comes as the answers begin; the first of 40000 end soon after."""
            self.assertIn("0/40000", child.stderr.readline())
            time.sleep(2)

        ask = ("eval", world().slow_model(), "--task", "arithmetic", "--questions", 40, "--answers", 1000, "--max-tokens", 4, "--batch", 4)
        out, err = self.stopped(*ask, "--save", path, "--json", until=begun)
        self.assertEqual(out, "")
        found = re.search(r"^fude: stopped after (\d+) of 40000 answers, saved in (.+)$", err, re.MULTILINE)
        self.assertIsNotNone(found, err)
        self.assertEqual(found[2], str(path))
        lines = path.read_text().splitlines()
        self.assertEqual(len(lines), int(found[1]))
        self.assertTrue(0 < len(lines) < 40000)
        self.assertIn("text", json.loads(lines[0]))
        self.assertIn("--save keeps", self.stopped(*ask, until=begun)[1])
        # With none at all an earlier file stays.
        before = path.read_bytes()
        _, err = self.stopped("eval", world().slow_model(), "--task", "arithmetic", "--questions", 1, "--max-tokens", 8000, "--batch", 1,
                              "--save", path, until=lambda child: child.stderr.readline())
        self.assertIn("stopped after 0 of 1 answers", err)
        self.assertEqual(path.read_bytes(), before)

    def test_an_answer_is_chosen_among_those_there_are(self):
        def watched(child):
            """It says nothing as it begins; the system knows which signals it takes itself."""
            caught = lambda: int(re.search(r"SigCgt:\s*(\w+)", pathlib.Path(f"/proc/{child.pid}/status").read_text())[1], 16)
            while not caught() >> (signal.SIGINT - 1) & 1:
                time.sleep(0.02)

        for seconds in (0, 1):
            out, err = self.stopped("ask", world().slow_model(), "Even 1?", "--json", "--all", "--max-tokens", 8000, "--answers", 2000, "--batch", 2,
                                    until=lambda child: (watched(child), time.sleep(seconds)))
            facts = json.loads(out)
            self.assertEqual(facts["ended"] + facts["truncated"] + facts["cancelled"], 2000)
            self.assertIn("fude: stopped", err)
            self.assertIn(f"chosen among the {facts['ended']} of 2000" if facts["ended"] else "before any answer", err)

    def test_training_saves_and_goes_on(self):
        self.succeeds(fude(*world().training(self.folder / "straight", steps=300)))
        for stop in (signal.SIGINT, signal.SIGTERM):
            command = [str(word) for word in world().training(self.folder / stop.name, steps=300)]
            child = subprocess.Popen([PROGRAM, *command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.assertEqual(json.loads(child.stdout.readline())["step"], 1)
            child.send_signal(stop)
            out, err = child.communicate(timeout=60)
            self.assertEqual(child.returncode, 128 + stop, err)
            self.assertIn("goes on from there", err)
            self.assertTrue(list((self.folder / stop.name).glob("checkpoint-*/state.fude")))
            result = self.succeeds(fude(*command, "--threads", 1))
            self.assertIn("going on after step", result.err)
            self.assertEqual((self.folder / stop.name / "model/model.safetensors").read_bytes(),
                             (self.folder / "straight/model/model.safetensors").read_bytes())
