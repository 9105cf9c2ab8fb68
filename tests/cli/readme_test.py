"""What the READMEs tell a reader to type, in a size that takes seconds: a model of one's own, from texts to a chat."""

import json
import pathlib
import re
import shlex

from harness import Case, fude

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SMALLER = {"4096": "300", "2000": "2"}  # entries of the vocabulary, steps


class Readme(Case):
    def blocks(self, page, kind):
        found = re.findall(r"^```(\w*)\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
        return [block for its_kind, block in found if its_kind == kind]

    def test_a_model_of_your_own(self):
        recipes = [next(b for b in self.blocks(page, "") if b.startswith("fude tokenizer")) for page in ("README.md", "README.ja.md")]
        self.assertEqual(*recipes)
        for name in ("text", "held-out"):
            (self.folder / name).mkdir()
            self.write(f"{name}/story.txt", f"Once there was a {name}, and it was read to the end. " * 400)
        turns = [{"role": "user", "content": "Who reads?"}, {"role": "assistant", "content": "I do."}]
        self.write("chats.jsonl", json.dumps({"messages": turns}) + "\n")
        for line in recipes[0].splitlines():
            words = [SMALLER.get(word, word) for word in shlex.split(line)]
            self.assertEqual(words[0], "fude")
            self.succeeds(fude(*words[1:], stdin=b"Who reads?\n", folder=self.folder))

    def test_the_configuration_file(self):
        for page in ("README.md", "README.ja.md"):
            self.write("run.toml", self.blocks(page, "toml")[0])
            # Its keys are known: what is missing is what the recipe makes.
            self.fails(fude("--config", "run.toml", "train", folder=self.folder), 1, "out/tokenizer")
