#!/usr/bin/env python3
"""Checks that what the READMEs tell a reader to type is what CI runs.

Every line of a shell block (```sh) must be in COMMANDS, with the place in the repository that runs it. Subcommands in
the tables ("| `fude chat` | …") must be the same in both languages. With --subcommands: prints them.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = ["README.md", "README.ja.md"]
# What may stand in a shell block → (file, text): the file that runs it, and how that looks there.
COMMANDS = {
    "scripts/quickstart.sh": (".ci/run", "scripts/quickstart.sh"),
    "scripts/test.sh": (".ci/run", "scripts/test.sh"),
}


def commands(page):
    for block in re.findall(r"^```(?:sh|bash|shell|console)\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            line = re.sub(r"\s+#.*", "", line).removeprefix("$ ").strip()
            if line and not line.startswith("#"):
                yield line


def subcommands(page):
    """Those of the first cells: a row may name several."""
    rows = re.findall(r"^\| (`fude .*?) \|", page, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`fude (\w+)", row)]


def main():
    pages = {name: (ROOT / name).read_text() for name in PAGES}
    first = subcommands(pages[PAGES[0]])
    if "--subcommands" in sys.argv[1:]:
        print("\n".join(first))
        return 0

    problems = []
    for name, page in pages.items():
        for command in commands(page):
            if command not in COMMANDS:
                problems.append(f"{name}: CI does not run '{command}' (tools/check_readme.py lists what it runs)")
        if subcommands(page) != first:
            problems.append(f"{name}: other subcommands than {PAGES[0]}: {subcommands(page)} instead of {first}")
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page):
            if not (ROOT / link).exists():
                problems.append(f"{name}: links to {link}, which does not exist")
    for command, (file, text) in COMMANDS.items():
        if text not in (ROOT / file).read_text():
            problems.append(f"{file} does not run '{command}'")
    for problem in problems:
        print(problem)
    print(f"check_readme: {len(PAGES)} pages, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
