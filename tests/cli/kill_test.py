"""A short version of kill.py, and the signals that ask a run to stop."""

import json
import random
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
