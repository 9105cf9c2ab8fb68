"""From examples to tries to votes, on a tiny model."""

import json
import pathlib
import shutil
import sys

from harness import USAGE, FAILED, Case, fude, world

EVEN = f"program:{sys.executable} {pathlib.Path(__file__).resolve().parent / 'even_task.py'}"
CHATS = "".join(json.dumps({"messages": [{"role": "user", "content": f"Where is {n}?"},
                                         {"role": "assistant", "content": f"In {n * 7 % 10}.", "reasoning_content": f"{n} 7"}]}) + "\n" for n in range(60))


def values(folder):
    return [json.loads(line).get("values", {}) for line in (folder / "metrics.jsonl").read_text().splitlines()]


class Sft(Case):
    def chats(self, text=CHATS):
        return self.write("chats.jsonl", text)

    def sft(self, *more, data=None):
        return fude("sft", world().model, "--data", data or self.chats(), "--out", self.folder / "sft", "--row-tokens", 64, "--rows", 4,
                    "--learning-rate", 3e-3, *more)

    def test_learns_the_chats(self):
        result = self.succeeds(self.sft("--epochs", 12, "--held-out", self.chats()))
        self.assertIn("60 conversations", result.err)
        lines = [json.loads(line) for line in (self.folder / "sft/metrics.jsonl").read_text().splitlines()]
        self.assertLess(lines[-1]["loss"], 0.5 * lines[0]["loss"])
        self.assertLess(lines[-1]["validation"]["held-out"]["loss"], 0.5 * lines[0]["loss"])
        said = self.succeeds(fude("chat", self.folder / "sft/model", "--temperature", 0, stdin=b"Where is 3?\n")).out
        self.assertTrue(said.startswith("<think>"), said)

    def test_an_adapter_leaves_the_model_alone(self):
        read = lambda: {path.relative_to(world().model): path.read_bytes() for path in world().model.rglob("*") if path.is_file()}
        before = read()
        self.succeeds(self.sft("--lora", 4, "--epochs", 6))
        self.assertEqual(read(), before)
        config = json.loads((self.folder / "sft/adapter/adapter_config.json").read_text())
        self.assertEqual((config["r"], config["lora_alpha"], config["peft_type"]), (4, 8, "LORA"))
        ask = ["perplexity", world().model, "--in", world().text / "0.txt", "--context", 32]
        plain, adapted = self.succeeds(fude(*ask)).out, self.succeeds(fude(*ask, "--adapter", self.folder / "sft/adapter")).out
        self.assertNotEqual(plain, adapted)
        self.assertEqual(fude("info", self.folder / "sft", "--json").lines()[0]["adapter"], str(self.folder / "sft/adapter"))
        self.fails(self.sft("--lora", 4, "--epochs", 6, "--lora-compute", "bf16"), FAILED, "another run", "'lora.compute' was \"file\", now it is \"bf16\"")
        self.fails(self.sft("--lora", 4, "--epochs", 6, "--lora-compute", "f32"), FAILED, "another run", "'lora.compute'")
        self.fails(self.sft("--lora", 4, "--epochs", 6, "--compute", "bf16"), FAILED, "leave out --compute")

    def test_what_it_begins_from_stays(self):
        """A result is not written over its own beginning, and a run does not go on beside another model of the same name."""
        base = self.folder / "exp/model"
        new = ["init", "--tokenizer", world().tokenizer, "--out", base, "--width", 32, "--layers", 1, "--heads", 2, "--kv-heads", 1, "--head-size", 16]
        self.succeeds(fude(*new))
        self.fails(fude(*new), FAILED, "holds a model already")
        sft = ["sft", base, "--data", self.chats(), "--row-tokens", 64, "--rows", 4]
        self.fails(fude(*sft, "--out", self.folder / "exp"), FAILED, "would be written over")
        adapter = [*sft, "--out", self.folder / "run", "--lora", 2, "--steps", 2]
        self.succeeds(fude(*adapter))
        shutil.rmtree(base)
        self.succeeds(fude(*new, "--seed", 1))
        self.fails(fude(*adapter), FAILED, "belongs to another run: 'model'")

    def test_bad_lines_say_where(self):
        self.fails(self.sft(data=self.chats(CHATS + '{"messages": [{"role": "x", "content": ""}]}\n')), FAILED, "chats.jsonl:61", "'x'")
        self.fails(self.sft(data=self.chats('{"messages": [{"role": "user", "content": "only"}]}\n')), FAILED, "no conversation", "assistant")
        self.fails(self.sft("--learn", "nobody"), USAGE, "nobody")
        self.fails(self.sft("--lora-alpha", 3), USAGE, "--lora")
        for wrong in (["--lora", 2, "--lora-alpha", "nan"], ["--lora", 2, "--lora-alpha", -1], ["--keep", -1], ["--save-every", -1],
                      ["--weight-decay", "nan"], ["--clip", "nan"], ["--learning-rate", -1e-5], ["--epochs", 0], ["--epochs", "inf"], ["--held-out", ""],
                      ["--adapter", ""]):
            self.fails(self.sft(*wrong), USAGE, wrong[-2])

    def test_a_first_try_that_failed_is_not_in_the_way(self):
        sft = ["sft", world().model, "--out", self.folder / "sft", "--rows", 2, "--steps", 2, "--data"]
        nothing = self.write("nothing.jsonl", '{"messages": [{"role": "user", "content": "only"}]}\n')
        self.fails(fude(*sft, self.chats()), FAILED, "--row-tokens 1024", "64")
        self.fails(fude(*sft, nothing, "--row-tokens", 64), FAILED, "no conversation")
        self.succeeds(fude(*sft, self.chats(), "--row-tokens", 64))

    def test_what_was_made_before_anything_was_learned_is_made_anew(self):
        run = self.folder / "sft"
        self.succeeds(self.sft("--steps", 1))
        for checkpoint in run.glob("checkpoint-*"):
            shutil.rmtree(checkpoint)
        self.succeeds(self.sft("--steps", 1, "--no-thoughts"))
        self.fails(self.sft("--steps", 1), FAILED, "other work", "'settings.with_thoughts' was false, now it is true")
        self.fails(self.sft("--steps", 1, "--no-thoughts", data=self.chats(CHATS.replace("Where", "There"))), FAILED, "'corpus' differs")

    def test_what_has_nothing_to_learn_is_left_out(self):
        silent = json.dumps({"messages": [{"role": "user", "content": "only"}]}) + "\n"
        result = self.succeeds(self.sft("--steps", 20, data=self.chats(silent * 300 + CHATS)))
        self.assertIn("300 conversations have nothing to learn", result.err)
        self.assertIn("60 conversations,", result.err)

    def test_more_epochs_than_steps_can_be_counted(self):
        self.fails(self.sft("--epochs", 1e300), FAILED, "fewer epochs")

    def test_says_what_is_cut(self):
        long = json.dumps({"prompt": "Hi", "completion": "word " * 200}) + "\n"
        self.assertIn("1 conversations were longer", self.succeeds(self.sft("--steps", 1, data=self.chats(CHATS + long))).err)


class Rl(Case):
    def rl(self, *more, out="rl"):
        return fude("rl", world().model, "--task", EVEN, "--out", self.folder / out, "--questions", 4, "--answers", 4, "--max-tokens", 12,
                    "--steps", 3, "--held-out", 5, "--learning-rate", 1e-3, "--block-tokens", 128, *more)

    def test_the_trainer_sees_what_the_sampler_said(self):
        for name, more in {"plain": [], "adapter": ["--lora", 4], "many": ["--minibatches", 2, "--epochs", 2, "--temperature", 0.9, "--kl", 0.1]}.items():
            with self.subTest(name):
                self.succeeds(self.rl(*more, out=name))
                lines = values(self.folder / name)
                self.assertEqual(len(lines), 3)
                self.assertEqual(lines[0]["largest difference of log-probabilities"], 0)
                self.assertIn("held-out accuracy", lines[-1])
                self.assertIn("<h2>Measured</h2>", (self.folder / name / "report.html").read_text())

    def test_an_adapter_goes_from_examples_to_tries_into_the_model(self):
        model, taught, merged = world().model, self.folder / "taught", self.folder / "merged"
        chats = self.write("chats.jsonl", CHATS)
        self.succeeds(fude("sft", model, "--data", chats, "--out", taught, "--row-tokens", 64, "--steps", 4, "--learning-rate", 3e-3, "--lora", 4))
        self.succeeds(self.rl("--adapter", taught / "adapter"))
        self.assertEqual(json.loads((self.folder / "rl/adapter/adapter_config.json").read_text())["r"], 4)
        self.succeeds(fude("convert", model, merged, "--adapter", self.folder / "rl/adapter"))
        ask = ["--in", world().text / "0.txt", "--context", 32, "--json"]
        read = lambda *words: self.succeeds(fude("perplexity", *words, *ask)).lines()[0]["perplexity"]
        both, beside, alone = read(merged), read(model, "--adapter", self.folder / "rl/adapter"), read(model)
        self.assertAlmostEqual(both / beside, 1, delta=1e-4)
        self.assertGreater(abs(alone / beside - 1), 1e-3)
        self.fails(self.rl("--adapter", taught / "adapter", "--lora", 4, out="both"), USAGE, "--lora", "--adapter")
        self.fails(self.rl("--lora-compute", "bf16", out="none"), FAILED, "--lora-compute")
        self.fails(self.rl("--adapter", taught / "adapter", "--compute", "bf16", out="none"), FAILED, "leave out --compute")
        self.fails(self.rl("--adapter", taught / "adapter", "--lora-compute", "f32"), FAILED, "another run", "'lora.compute'")
        self.fails(fude("convert", model, self.folder / "merged.gguf", "--adapter", taught / "adapter"), FAILED, "folder")

    def test_a_scorer_is_a_model_once_all_of_it_is_there(self):
        folder = self.folder / "judge/scorer"
        (folder / "tokenizer.json").mkdir(parents=True)  # no file takes its place
        self.fails(fude("scorer", world().model, "--task", EVEN, "--out", self.folder / "judge", "--questions", 20, "--answers", 4, "--max-tokens", 12),
                   FAILED, "tokenizer.json")
        self.assertFalse((folder / "config.json").exists())

    def test_a_scorer_and_a_vote(self):
        model, judge = world().model, self.folder / "judge"
        self.succeeds(fude("scorer", model, "--task", EVEN, "--out", judge, "--questions", 20, "--answers", 4, "--max-tokens", 12,
                           "--held-out", 4, "--step-tokens", 256, "--learning-rate", 1e-3))
        result = self.succeeds(fude("eval", model, "--task", EVEN, "--questions", 6, "--answers", 8, "--max-tokens", 12, "--scorer", judge / "scorer",
                                    "--save", self.folder / "answers.jsonl", "--json"))
        found = {line["measure"]: line for line in result.lines()}
        self.assertEqual(set(found), {"right", "vote of 4", "vote of 8", "weighted vote of 4", "weighted vote of 8", "best of 4", "best of 8", "any of 8",
                                      "vote of 4 less right", "best of 4 less vote", "weighted vote of 4 less vote", "vote of 8 less right", "best of 8 less vote",
                                      "weighted vote of 8 less vote"})
        for line in found.values():
            self.assertEqual(line["questions"], 6)
        self.assertEqual(len((self.folder / "answers.jsonl").read_text().splitlines()), 48)
        few = ("eval", model, "--task", EVEN, "--questions", 2, "--max-tokens", 4, "--save")
        self.succeeds(fude(*few, self.folder / "new/answers.jsonl"))
        self.assertEqual(self.fails(fude(*few, self.folder), FAILED, "folder").out, "")
        self.assertEqual(fude("info", judge, "--json").lines()[0]["scorer"], str(judge / "scorer"))
        short = self.folder / "short"
        shutil.copytree(judge / "scorer", short)
        config = json.loads((short / "config.json").read_text())
        (short / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 32}))
        self.fails(fude("serve", model, "--scorer", short, "--port", 0), FAILED, "reads 32", "--context")
        self.fails(fude("ask", model, "Even 1?", "--by", "best", "--scorer", short, "--max-tokens", 40), FAILED, "reads 32", "--max-tokens")
        self.fails(fude("eval", model, "--task", EVEN, "--scorer", short, "--max-tokens", 40), FAILED, "reads 32", "--max-tokens")
        for by in ("vote", "best", "weighted"):
            asked = self.succeeds(fude("ask", model, "Even 1?", "--answers", 8, "--max-tokens", 12, "--by", by, "--scorer", judge / "scorer", "--json")).lines()[0]
            self.assertEqual(asked["ended"] + asked["truncated"] + asked["cancelled"], 8)
        self.fails(fude("ask", model, "Even 1?", "--by", "best"), FAILED, "scorer")

    def test_answers_outlive_a_judge_that_fails(self):
        saved = self.folder / "answers.jsonl"
        result = fude("eval", world().model, "--task", EVEN + " no-verdict", "--questions", 3, "--answers", 2, "--max-tokens", 40, "--save", saved)
        self.fails(result, FAILED, "[program]", "without a reply")
        lines = [json.loads(line) for line in saved.read_text().splitlines()]
        self.assertEqual(len(lines), 6)
        self.assertEqual(set(lines[0]), {"question", "text", "is_truncated", "tokens"})

    def test_other_questions_are_another_run(self):
        lines = lambda n: (json.dumps({"prompt": f"Even {n} {i}?", "answer": "ab"}) + "\n" for i in range(8))
        task = self.write("task.jsonl", "".join(lines(1)))
        rl = ["rl", world().model, "--task", task, "--out", self.folder / "rl", "--questions", 2, "--answers", 2, "--max-tokens", 4, "--steps", 1,
              "--held-out", 0, "--keep-equal"]
        judge = ["scorer", world().model, "--task", task, "--out", self.folder / "judge", "--questions", 4, "--answers", 2, "--max-tokens", 4,
                 "--held-out", 0]
        for command in (rl, judge):
            self.succeeds(fude(*command))
        task.write_text("".join(lines(2)))
        for command in (rl, judge):
            self.fails(fude(*command), FAILED, "questions of the task")

    def test_no_answer_in_time(self):
        for more in ((), ("--json",)):
            asked = self.fails(fude("ask", world().model, "Even 1?", "--answers", 1, "--max-tokens", 1, *more), FAILED,
                               "no answer came to its end within 1 tokens; try --max-tokens")
            self.assertEqual([line["ended"] for line in asked.lines()], [0] if more else [])

    def test_no_question(self):
        self.fails(fude("ask", world().model, ""), USAGE, "question", "got nothing")

    def test_another_run_in_the_same_folder(self):
        self.succeeds(self.rl())
        self.fails(self.rl("--temperature", 0.5), FAILED, "another run", "'temperature' was 1, now it is 0.5")

    def test_mistakes(self):
        self.fails(self.rl("--adapter", ""), USAGE, "--adapter", "got nothing")
        self.fails(fude("scorer", world().model, "--task", EVEN, "--out", self.folder / "judge", "--epochs", 0), USAGE, "--epochs")
        self.fails(self.rl("--batch", 2**62), FAILED, "65536")
        self.fails(self.rl("--difficulty", "5-2"), USAGE, "--difficulty")
        for option in ("--clip-low", "--clip-high", "--kl"):
            self.fails(self.rl(option, "nan"), USAGE, option)
            self.fails(self.rl(option, -0.1), USAGE, option)
        self.fails(self.rl("--minibatches", 99), FAILED, "minibatches")
        self.fails(fude("rl", world().model, "--task", EVEN, "--out", self.folder, "--max-tokens", 9999), FAILED, "context")
