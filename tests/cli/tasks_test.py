"""fude tasks: the list, examples of each task, and tasks of the user's own."""

import pathlib
import re
import sys

from harness import FAILED, USAGE, Case, fude

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "tasks.md"


def block(language):
    return re.search(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)[1]


class Tasks(Case):
    def examples(self, *arguments):
        return self.succeeds(fude("tasks", *arguments, "--json")).lines()

    def test_list(self):
        tasks = self.examples()
        self.assertIn("mini_aime", [task["name"] for task in tasks])
        page = PAGE.read_text()
        out = self.succeeds(fude("tasks")).out
        for task in tasks:
            self.assertIn(task["name"], out)
            low, high = task["difficulty"]
            self.assertIn(f"| `{task['name']}` | {low}" + ("" if low == high else f"–{high}"), page)

    def test_examples(self):
        for name in [task["name"] for task in self.examples()]:
            shown = self.examples(name, "--count", 4)
            self.assertEqual([example["language"] for example in shown], ["en", "ja"] * 2)
            self.assertTrue(all(example["solution"] for example in shown))
            self.assertEqual(shown, self.examples(name, "--count", 4))
            self.assertNotEqual(shown, self.examples(name, "--count", 4, "--seed", 1))
            self.assertIn(shown[0]["prompt"], self.succeeds(fude("tasks", name, "--count", 1)).out)
            for more in ((), ("--held-out",)):
                japanese = self.examples(name, "--count", 3, "--language", "ja", *more)
                self.assertEqual([example["language"] for example in japanese], ["ja"] * 3)

    def test_difficulty(self):
        self.assertEqual({example["difficulty"] for example in self.examples("countdown", "--count", 5, "--difficulty", 4)}, {4})
        ages = self.examples("ages", "--count", 40, "--difficulty", "2-3", "--held-out")
        self.assertEqual({example["difficulty"] for example in ages}, {2, 3})
        for wrong in ("x", "3-", "5-2", "-", "3 4"):
            self.fails(fude("tasks", "ages", "--difficulty", wrong), USAGE, "--difficulty")
        self.fails(fude("tasks", "ages", "--difficulty", 7), FAILED, "1 to 6")

    def test_mistakes(self):
        self.fails(fude("tasks", "mini-aime"), FAILED, "did you mean 'mini_aime'?")
        self.fails(fude("tasks", "ages", "--language", "fr"), USAGE, "--language")
        self.fails(fude("tasks", "ages", "--count", 0), USAGE, "--count")
        self.fails(fude("tasks", self.folder / "none.jsonl"), FAILED, "none.jsonl")

    def test_own_file(self):
        path = self.write("own.jsonl", block("json"))
        self.assertEqual([example["answer"] for example in self.examples(path, "--held-out", "--language", "en")][-1], "no")
        path = self.write("written.jsonl", self.succeeds(fude("tasks", "letters", "--count", 100, "--json")).out)
        self.assertEqual(len(self.examples(path, "--count", 20)), 20)
        # Facts come again soon; no line of a file may.
        path = self.write("facts.jsonl", self.succeeds(fude("tasks", "facts", "--count", 500, "--json")).out)
        self.assertEqual(len(path.read_text().splitlines()), 500)
        self.assertEqual(len(self.examples(path, "--count", 20)), 20)
        path = self.write("few.jsonl", "".join(f'{{"prompt": "{n} + 1?", "answer": {n + 1}, "held_out": false}}\n' for n in range(3)))
        self.assertEqual(len(self.examples(path, "--count", 20)), 3)
        self.assertEqual(self.succeeds(fude("tasks", path, "--count", 20)).out.count("difficulty 1"), 20)
        self.fails(fude("tasks", self.write("bad.jsonl", '{"prompt": "a", "anwser": 1}\n')), FAILED, "bad.jsonl:1", "answer")

    def test_own_program(self):
        path = self.write("own.py", block("python"))
        command = f"program:{sys.executable} {path}"
        shown = self.examples(command, "--count", 6)
        for example in shown:
            a, b = map(int, re.findall(r"\d+", example["prompt"]))
            self.assertEqual(example["answer"], str(a * b))
        self.assertEqual(shown, self.examples(command, "--count", 6))
        held_out = self.examples(command, "--count", 6, "--held-out")
        self.assertFalse({example["prompt"] for example in held_out} & {example["prompt"] for example in self.examples(command, "--count", 300)})

    def test_bad_programs(self):
        self.fails(fude("tasks", "program:exit 3"), FAILED, "exit code 3")
        self.fails(fude("tasks", "program:sleep 100", "--reply-seconds", 0.2), FAILED, "within 0.2 seconds")
        self.fails(fude("tasks", "program:yes 2>/dev/null"), FAILED, "more than one line")
        self.fails(fude("tasks", "program:while read -r x; do echo '{'; done"), FAILED, "JSON")
        self.fails(fude("tasks", "program:"), FAILED, "command")
