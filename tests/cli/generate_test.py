"""fude generate and fude chat as their user meets them: on a terminal, through a pipe, in a script."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import termios
import time

from harness import DONE, FAILED, PROGRAM, USAGE, Case, fude, sentences, world

STOPPED = 128 + signal.SIGINT


class Generate(Case):
    def generate(self, *more, prompt="Alice lives in", **how):
        return self.succeeds(fude("generate", world().model, "--prompt", prompt, "--max-tokens", 40, *more, **how))

    def test_seeds_threads_and_standard_input(self):
        one = self.generate("--seed", 3).out
        self.assertEqual(self.generate("--seed", 3, "--threads", 1).out, one)
        self.assertNotEqual(self.generate("--seed", 4).out, one)
        piped = self.succeeds(fude("generate", world().model, "--max-tokens", 40, "--seed", 3, stdin=b"Alice lives in"))
        self.assertEqual(piped.out, one)
        self.succeeds(fude("generate", world().model, "--max-tokens", 4, stdin=b"\xff\xfe\x00 not text"))
        self.succeeds(fude("generate", world().model, "--max-tokens", 4))  # nothing at all: from the start of a text

    def test_stop_strings(self):
        whole = self.generate("--temperature", 0).out.rstrip("\n")
        stop = whole[5:8]
        cut = self.generate("--temperature", 0, "--stop", "never", "--stop", stop).out.rstrip("\n")
        self.assertEqual(cut, whole[:whole.index(stop)])
        lines = self.generate("--temperature", 0, "--stop", stop, "--logprobs").lines()
        self.assertEqual(lines[-1]["text"], cut)
        self.assertEqual(lines[-1]["finish_reason"], "stop")
        self.assertEqual(lines[-1]["tokens"], len(lines) - 1)
        self.assertEqual(self.generate("--temperature", 0, "--stop", stop, "--json").lines(), lines[-1:])

    def test_an_empty_value_is_no_missing_option(self):
        """As of a script's variable that is not set: the answer would be free, and nobody would know."""
        for option in ("--json-schema", "--regex", "--grammar", "--adapter", "--stop", "--draft-model"):
            for command in (("generate", world().model, "--prompt", "x"), ("chat", world().model)):
                self.fails(fude(*command, option, ""), USAGE, option, "expected a text, got nothing")
        for command in (("ask", world().model, "x"), ("eval", world().model, "--task", "arithmetic"), ("score", world().model, "--text", "x"),
                        ("perplexity", world().model), ("embed", world().model), ("bench", "generate", world().model)):
            self.fails(fude(*command, "--adapter", ""), USAGE, "--adapter", "expected a text, got nothing")
        self.fails(fude("eval", world().model, "--task", "arithmetic", "--save", ""), USAGE, "--save", "got nothing")
        self.fails(fude("score", world().model, "--text", ""), USAGE, "--text", "got nothing")
        for option in ("--model", "--tokenizer", "--export"):
            self.fails(fude("train", "--out", self.folder / "run", "--data", world().shards, option, ""), USAGE, option, "got nothing")
        for option in ("--name", "--api-key", "--scorer", "--draft-model"):
            self.fails(fude("serve", world().model, "--port", 0, option, ""), USAGE, option, "got nothing")
        self.fails(fude("generate", world().model, "--prompt", ""), USAGE, "--prompt", "got nothing")
        self.fails(fude("chat", world().model, "--system", ""), USAGE, "--system", "got nothing")
        self.fails(fude("embed", world().model, "--in", ""), USAGE, "--in", "got nothing")

    def test_guessing_ahead_changes_nothing(self):
        for how in (("--temperature", 0), ("--seed", 3)):
            plain = self.generate(*how).out
            self.assertEqual(self.generate(*how, "--drafts", 4).out, plain)
            self.assertEqual(self.generate(*how, "--drafts", 4, "--draft-model", world().model).out, plain)
        self.fails(fude("generate", world().model, "--prompt", "x", "--draft-model", world().model), FAILED, "--drafts")

    def test_keys_and_values_in_fewer_bits(self):
        bench = ("bench", "--quick", "--rounds", 1, "--filter", "decode 1", "generate", world().model, "--json")
        for kv in ("bf16", "int8"):
            self.generate("--kv", kv)
            self.assertEqual([row["name"] for row in self.succeeds(fude(*bench, "--kv", kv)).lines()], ["decode 1"])
        self.fails(fude(*bench, "--kv", "int4"), USAGE, "--kv", "int4")

    def test_log_probabilities(self):
        tokens = self.generate("--temperature", 0, "--logprobs").lines()[:-1]
        for token in tokens:
            self.assertLessEqual(token["logprob"], 0)
            self.assertEqual(token["sampled_logprob"], 0)  # there was no choice
        for token in self.generate("--top-k", 1, "--seed", 9, "--logprobs").lines()[:-1]:
            self.assertEqual(token["sampled_logprob"], 0)
        self.assertTrue(any(t["sampled_logprob"] < 0 for t in self.generate("--logprobs").lines()[:-1]))

    def test_bytes_of_tokens(self):
        """An untrained model says parts of characters, which only their bytes tell apart."""
        lines = self.succeeds(fude("generate", world().slow_model(), "--prompt", "東京", "--max-tokens", 40, "--temperature", 3, "--logprobs")).lines()
        parts = 0
        for line in lines[:-1]:
            try:
                self.assertEqual(bytes(line["bytes"]).decode(), line["text"])
            except UnicodeDecodeError:
                self.assertIn("\ufffd", line["text"])
                parts += 1
        self.assertGreater(parts, 0)
        scored = self.succeeds(fude("score", world().model, "--text", "x 東京 ☃", "--logprobs")).lines()[:-1]
        self.assertTrue("x 東京 ☃".encode().endswith(b"".join(bytes(line["bytes"]) for line in scored)))

    def test_end_of_the_context(self):
        result = self.succeeds(fude("generate", world().model, "--prompt", "Bob", "--max-tokens", 1000, "--context", 8, "--temperature", 0, "--json"))
        self.assertEqual(result.lines()[0]["finish_reason"], "context")
        self.assertIn("end of the context", result.err)
        self.fails(fude("generate", world().model, "--prompt", "Alice lives here. " * 50), FAILED, "context")
        self.fails(fude("generate", world().model, "--prompt", "x", "--context", 100000), FAILED, "context")

    def test_only_whole_characters(self):
        """Each piece that is written is well-formed by itself; an untrained model says every byte there is."""
        child = subprocess.Popen([PROGRAM, "generate", world().slow_model(), "--prompt", "東京", "--max-tokens", "300", "--temperature", "3"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        pieces = iter(lambda: os.read(child.stdout.fileno(), 1 << 16), b"")
        self.assertGreater(len([piece.decode("utf-8", errors="strict") for piece in pieces]), 10)
        child.communicate()
        self.assertEqual(child.returncode, DONE)

    def test_interrupt_ends_it(self):
        for stop in (signal.SIGINT, signal.SIGTERM):
            child = subprocess.Popen([PROGRAM, "generate", world().slow_model(), "--prompt", "x", "--max-tokens", "100000", "--temperature", "0",
                                      "--json", "--logprobs"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            child.stdout.readline()  # a token: it runs
            child.send_signal(stop)
            out, err = child.communicate(timeout=30)
            self.assertEqual(child.returncode, 128 + stop, err)
            self.assertIn(b'"finish_reason":"cancelled"', out)


class Terminal:
    """The program where somebody types at it; `screen` is all that it has shown so far."""

    def __init__(self, case, *command, **environment):
        self.case, self.screen = case, b""
        self.keys, there = pty.openpty()
        self.there, self.before = os.dup(there), termios.tcgetattr(there)
        self.child = subprocess.Popen([PROGRAM, *map(str, command)], stdin=there, stdout=there, stderr=there, start_new_session=True,
                                      preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), env={**os.environ, "TERM": "xterm", **environment})
        os.close(there)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill(), self.child.wait()
        os.close(self.keys), os.close(self.there)

    def type(self, keys):
        """Reads what is shown meanwhile: neither side waits for the other."""
        while keys:
            readable, writable, _ = select.select([self.keys], [self.keys], [], 30)
            if readable:
                self.screen += os.read(self.keys, 1 << 16)
            if writable:
                keys = keys[os.write(self.keys, keys[:256]):]

    def wait_until(self, is_there, seconds=60):
        until = time.monotonic() + seconds
        while not is_there(self.screen):
            self.case.assertLess(time.monotonic(), until, self.screen[-500:])
            if select.select([self.keys], [], [], 0.1)[0]:
                self.screen += os.read(self.keys, 1 << 16)

    def is_edited(self):
        """A line's keys go to the editor one by one; what was typed before that, the terminal echoed."""
        return not termios.tcgetattr(self.there)[3] & termios.ICANON


class Chat(Case):
    def test_pipe(self):
        result = self.succeeds(fude("chat", world().model, "--max-tokens", 5, "--drop-oldest", "--json", stdin="Hello\n\nおはよう\r\n".encode() + b"\xff\xfe"))
        self.assertEqual(len(result.lines()), 3, result)
        self.assertEqual(fude("chat", world().model, stdin=b"").out, "")

    def test_full_context(self):
        lines = b"Where does Alice live?\n" * 12
        result = self.fails(fude("chat", world().model, "--max-tokens", 8, "--json", stdin=lines), FAILED, "filled the context", "--drop-oldest")
        self.assertGreater(len(result.lines()), 0)
        result = self.succeeds(fude("chat", world().model, "--max-tokens", 8, "--drop-oldest", "--json", stdin=lines))
        self.assertEqual(len(result.lines()), 12)
        for more in ((), ("--drop-oldest",)):
            self.fails(fude("chat", world().model, *more, stdin=b"long " * 500 + b"\n"), FAILED, "this message alone", "and the context 64")

    def with_template(self):
        """The same model, of which only the template says how it chats: a marker of Fude's own format is missing."""
        folder = self.folder / "with-template"
        shutil.copytree(world().model, folder)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            path = folder / name
            path.write_text(path.read_text().replace("<|end|>", "<|done|>"))
        return folder

    def test_system_prompt(self):
        system, question = "Say <|user|> twice.", b"Where does Alice live, and where Bob?\n"
        config = self.write("fude.toml", f'[chat]\nsystem = "{system}"\n')
        length = 1 + self.succeeds(fude("score", world().model, "--text", system, "--json")).lines()[0]["tokens"]
        firsts = []
        for model in (world().model, self.with_template()):
            def answers(*more, asked=1):
                run = ("chat", model, "--max-tokens", 4, "--temperature", 0, "--logprobs", *more)
                return self.succeeds(fude(*run, stdin=question * asked)).lines()

            def tokens(*more):
                failed = self.fails(fude("chat", model, *more, stdin=b"long " * 500 + b"\n"), FAILED, "this message alone")
                return int(re.search(r"has (\d+) tokens", failed.err)[1])

            told = answers("--system", system)
            self.assertNotEqual(told, answers())
            self.assertEqual(told, answers("--config", config))
            # Between two markers; the one that is spelled in it is text.
            self.assertEqual(tokens("--system", system), tokens() + length + 2)
            # No turn has room beside another: each is asked as the first was.
            self.assertEqual(told * 3, answers("--system", system, "--drop-oldest", asked=3))
            firsts.append(told[0]["logprob"])
        self.assertEqual(*firsts)

    def test_markers_like_our_own(self):
        """A model's own template is used even where its tokens are called like ours."""
        folder = self.folder / "like-ours"
        shutil.copytree(world().model, folder)
        path = folder / "tokenizer_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": "{{ raise_exception('the template runs') }}"}))
        self.fails(fude("chat", folder, stdin=b"hello\n"), FAILED, "the template runs")

    def test_terminal(self):
        """Ctrl-C stops an answer and the chat goes on; Ctrl-D and /bye end it; so does Ctrl-C at the prompt, twice."""
        for end, code in ((b"\x04", DONE), (b"/bye\n", DONE), (b"\x03\x03", -signal.SIGINT)):
            with Terminal(self, "chat", world().slow_model(), "--max-tokens", "100000", "--temperature", "0") as terminal:
                terminal.wait_until(lambda screen: b"> " in screen)
                for turn in (1, 2):
                    before = len(terminal.screen)
                    terminal.type(b"Where does Alice live?\n")
                    terminal.wait_until(lambda screen: len(screen) >= before + 60)  # more than the echo of the question
                    terminal.type(b"\x03")
                    terminal.wait_until(lambda screen: screen.count(b"\r\n> ") >= turn + 1)  # the first came with the greeting
                    self.assertIsNone(terminal.child.poll())
                terminal.wait_until(lambda screen: terminal.is_edited())
                terminal.type(end)
                self.assertEqual(terminal.child.wait(timeout=30), code, terminal.screen[-500:])
                self.assertEqual(termios.tcgetattr(terminal.there), terminal.before, end)

    def test_keys_that_were_meant_for_something_else(self):
        """Ctrl-C a moment late, Ctrl-Z where nobody could continue the program: the line goes or stays, the chat goes on."""
        with Terminal(self, "chat", world().model, "--max-tokens", 5) as terminal:
            for keys, shown in ((b"half\x03", b"half^C\r\n> "), (b"\x03", b"once more)\r\n> "), (b"ha\x1alf\x03", b"> half^C\r\n> "), (b"\x04", b"^D")):
                terminal.wait_until(lambda screen: terminal.is_edited())
                terminal.type(keys)
                terminal.wait_until(lambda screen: shown in re.sub(rb"\r\x1b\[K> ha(?=lf)", b"", screen))
            self.assertEqual(terminal.child.wait(timeout=30), DONE, terminal.screen[-500:])

    def test_the_end_is_typed_ahead(self):
        """Ctrl-D while an answer is written: the chat ends behind it."""
        with Terminal(self, "chat", world().slow_model(), "--max-tokens", "300", "--temperature", "0") as terminal:
            terminal.wait_until(lambda screen: terminal.is_edited())
            terminal.type(b"Where does Alice live?\n")
            terminal.wait_until(lambda screen: len(screen) >= 150)
            self.assertFalse(terminal.is_edited())
            terminal.type(b"\x04")
            self.assertEqual(terminal.child.wait(timeout=60), DONE, terminal.screen[-500:])

    def test_commands_to_the_chat(self):
        """A word behind a slash is none of the conversation, unless it comes from a pipe."""
        run = ("chat", world().model, "--regex", "[a-z]{12}", "--drop-oldest")
        answer = rb"\r\n[a-z]{12}\r\n"
        self.assertEqual(len(self.succeeds(fude(*run, stdin=b"/help\n/bye\nBob\n")).out.split()), 3)
        for end in (b"/bye", b"/exit", b"/quit"):
            with Terminal(self, *run) as terminal:
                for turn, line in enumerate((b"/help", b"/?", b"/set x", end), 1):
                    terminal.wait_until(lambda screen: screen.count(b"\r\n> ") >= turn and terminal.is_edited())
                    terminal.type(line + b"\n")
                self.assertEqual(terminal.child.wait(timeout=30), DONE, terminal.screen[-500:])
                terminal.wait_until(lambda screen: not select.select([terminal.keys], [], [], 0)[0])
                self.assertEqual(terminal.screen.count(b"and so does /bye"), 3, terminal.screen)
                self.assertFalse(terminal.screen.endswith(b"\r\n\r\n"), terminal.screen)
                self.assertNotRegex(terminal.screen, answer)
        for line in (b" /help", b"/etc/passwd?"):
            with Terminal(self, *run) as terminal:
                terminal.wait_until(lambda screen: terminal.is_edited())
                terminal.type(line + b"\n")
                terminal.wait_until(lambda screen: re.search(answer, screen))

    def test_lines_are_edited(self):
        """Cursor keys, history, wide characters, and lines longer than a terminal keeps by itself."""
        run = ("chat", world().model, "--temperature", 1.5, "--regex", "[a-z]{12}", "--drop-oldest")
        said = ["Where is Bob?", "東京の朝?", "Where is Bob?"]
        answers = self.succeeds(fude(*run, stdin="\n".join(said).encode())).out.splitlines()
        self.assertNotEqual(answers[0], answers[1])
        left, up = b"\x1b[D", b"\x1b[A"
        typed = [b"Were is Bob?" + 11 * left + b"h\n", "東の朝?".encode() + 3 * left + "京\n".encode(), up + up + b"\n"]
        for language in ("C.UTF-8", "C"):
            with Terminal(self, *run, LC_ALL=language) as terminal:
                for turn, keys in enumerate(typed, 1):
                    terminal.wait_until(lambda screen: screen.count(b"\r\n> ") >= turn and terminal.is_edited())
                    terminal.type(keys)
                terminal.wait_until(lambda screen: screen.count(b"\r\n> ") >= len(typed) + 1)
                lines = re.sub(rb"\r\n> .*?\r\n", b"\n> ", terminal.screen)
                self.assertEqual(re.findall(r"^> (.*?)\r?$", lines.decode(), re.M)[:len(said)], answers, terminal.screen)
        long = b"long " * 2000
        counted = self.fails(fude("chat", world().model, stdin=long + b"\n"), FAILED, "this message alone")
        with Terminal(self, "chat", world().model) as terminal:
            terminal.wait_until(lambda screen: terminal.is_edited())
            terminal.type(long + b"\n")
            terminal.wait_until(lambda screen: re.search(r"this message alone has \d+", counted.err).group(0).encode() in screen)

    def test_json_has_standard_output_for_itself(self):
        """On a terminal: the greeting and the prompts are for whoever types."""
        terminal, there = pty.openpty()
        child = subprocess.Popen([PROGRAM, "chat", world().model, "--max-tokens", "5", "--json"], stdin=there, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.close(there)
        os.write(terminal, b"Hello\n\x04")
        out, err = child.communicate(timeout=60)
        os.close(terminal)
        self.assertEqual(child.returncode, DONE, err)
        self.assertEqual([json.loads(line)["tokens"] <= 5 for line in out.splitlines()], [True])
        self.assertIn(b"> ", err)


class Score(Case):
    def test_lines_are_scored_as_each_alone(self):
        texts = ["Alice lives in Tokyo.", "Bob lives in 東京, number 42.", "x y z"]
        alone = [self.succeeds(fude("score", world().model, "--text", text, "--logprobs")).lines() for text in texts]
        rows = [{"text": text} for text in texts]
        rows.append({"prompt": "Alice lives", "text": " in Tokyo."})
        rows.append({"tokens": [row["token"] for row in alone[1][:-1]], "from": 3})
        lines = "\n\n".join(json.dumps(row) for row in rows).encode()
        got = self.succeeds(fude("score", world().model, "--lines", "--logprobs", stdin=lines)).lines()
        self.assertEqual(len(got), len(rows))
        for one, whole in zip(got, alone):
            self.assertEqual(one["logprobs"], [row["logprob"] for row in whole[:-1]])
            self.assertEqual(one["logprob"], whole[-1]["logprob"])
        self.assertLess(got[3]["tokens"], got[0]["tokens"])
        self.assertEqual(got[3]["logprobs"], got[0]["logprobs"][-got[3]["tokens"]:])
        self.assertEqual(got[4]["tokens"], len(alone[1]) - 4)
        top = self.succeeds(fude("score", world().model, "--lines", "--top", 2, stdin=lines)).lines()
        self.assertEqual([row["logprob"] for row in top], [row["logprob"] for row in got])
        self.assertTrue(all(likely[0][1] >= likely[1][1] for row in top for likely in row["top"]))
        for bad in ["[1]", "{", '{"text": 1}', '{"tokens": [5, 6], "from": "x"}', '{"prompt": "x"}', '{"tokens": [1, "a"]}', '{"tokens": [1]}', '{"tokens": [-1, 5]}']:
            result = self.fails(fude("score", world().model, "--lines", stdin=bad.encode()), FAILED, "expected")
            self.assertNotIn("exception", result.err)
        long = {"tokens": [5] * 65}  # than the context
        for bad in [{"tokens": [4294967297, 5]}, {"tokens": [400, 5]}, {"tokens": [1.5, 5]}, {"tokens": [5]}, long, {"text": ""},
                    {"tokens": [5, 6], "from": 2}, {"tokens": [5, 6], "from": 0}]:
            self.fails(fude("score", world().model, "--lines", stdin=b'{"tokens": [5, 6]}\n\n' + json.dumps(bad).encode()), FAILED, "line 3: expected")

    def test_keys_and_options_that_would_do_nothing(self):
        for line, words in [({"promt": "x", "text": "y z w"}, ("unknown key 'promt'", "did you mean 'prompt'?")),
                            ({"tokens": [5, 6], "form": 1}, ("unknown key 'form'", "did you mean 'from'?")),
                            ({"tokens": [5, 6], "text": "x"}, ("unknown key 'text'",))]:
            self.fails(fude("score", world().model, "--lines", stdin=json.dumps(line).encode()), FAILED, "line 1", *words)
        self.fails(fude("score", world().model, "--text", "x", "--in", self.write("text", "y")), USAGE, "--text", "--in")
        self.fails(fude("score", world().model, "--text", "x", "--top", 2), USAGE, "--top", "--lines")

    def test_what_was_generated_is_scored_alike(self):
        text = "Alice lives in the old mill, number 17."
        lines = self.succeeds(fude("score", world().model, "--text", text, "--logprobs")).lines()
        self.assertEqual("".join(line["text"] for line in lines[:-1]), text[-sum(len(line["text"]) for line in lines[:-1]):])
        self.assertAlmostEqual(sum(line["logprob"] for line in lines[:-1]), lines[-1]["logprob"], places=3)
        piped = self.succeeds(fude("score", world().model, "--json", stdin=text.encode())).lines()
        self.assertEqual(piped, lines[-1:])
        self.assertIn("bits per byte", self.succeeds(fude("score", world().model, "--text", text)).out)
        self.fails(fude("score", world().model, "--text", "x"), FAILED, "tokens")

    def test_bytes_that_are_no_text(self):
        """A tokenizer may lack some of them: they would count for nothing."""
        bad = self.write("bad.txt", b"ok\n\xff Alice lives in the old mill.")
        for command in (("score", world().model), ("score", world().model, "--lines"), ("perplexity", world().model, "--context", 8)):
            self.fails(fude(*command, "--in", bad), FAILED, f"{bad}:2: invalid UTF-8: at byte 3 of the text")
            self.fails(fude(*command, stdin=bad.read_bytes()), FAILED, "standard input:2: invalid UTF-8")
        self.fails(fude("score", world().model, "--text", b"Alice \xe6\x9d lives".decode(errors="surrogateescape")), FAILED,
                   "--text:1: invalid UTF-8: at byte 6 of the text")

    def test_perplexity(self):
        text = self.write("text", sentences(50))
        one = self.succeeds(fude("perplexity", world().model, "--in", text, "--context", 32, "--json")).lines()[0]
        self.assertGreater(one["windows"], 5)
        self.assertEqual(one["scored_tokens"], one["windows"] * 15)
        again = self.succeeds(fude("perplexity", world().model, "--in", text, "--context", 32, "--threads", 1))
        self.assertIn(f"perplexity {one['perplexity']:.4f}", again.out)
        # The usual window is longer than this model's context.
        self.assertEqual(self.succeeds(fude("perplexity", world().model, "--in", text, "--json")).lines()[0]["context"], 64)
        self.fails(fude("perplexity", world().model, "--in", text, "--context", 100000), FAILED, "context")
        self.fails(fude("perplexity", world().model, "--in", self.folder / "none"), FAILED, "none")

    def test_perplexity_of_the_usual_model(self):
        """In a cache that is empty it is not there, and what gets it is said."""
        self.fails(fude("perplexity", "--in", self.write("text", "x"), environment={"XDG_CACHE_HOME": str(self.folder)}), FAILED, "fude pull smollm2")

    def test_keys_and_values_in_fewer_bits(self):
        text = self.write("text", sentences(50))
        ask = ("perplexity", world().model, "--in", text, "--context", 32, "--json")
        plain, f32, bf16, int8 = (self.succeeds(fude(*ask, *kv)).lines()[0] for kv in ((), ("--kv", "f32"), ("--kv", "bf16"), ("--kv", "int8")))
        self.assertEqual(f32["perplexity"], plain["perplexity"])
        self.assertNotEqual(bf16["perplexity"], int8["perplexity"])
        for less in (bf16, int8):
            self.assertNotEqual(less["perplexity"], plain["perplexity"])
            # What is lost is less than a text of this length can tell.
            self.assertAlmostEqual(less["perplexity"], plain["perplexity"], delta=plain["standard_error"])
        self.fails(fude(*ask, "--kv", "int4"), USAGE, "--kv", "int4")

        score = "Bob lives in the old mill, number 17."
        found = set()
        for kv in ("f32", "bf16", "int8"):
            alone = self.succeeds(fude("score", world().model, "--text", score, "--kv", kv, "--json")).lines()[0]["logprob"]
            lines = self.succeeds(fude("score", world().model, "--lines", "--kv", kv, stdin=json.dumps({"text": score}).encode())).lines()
            self.assertEqual([line["logprob"] for line in lines], [alone])
            found.add(alone)
        self.assertEqual(len(found), 3)


class Constrained(Case):
    def answer(self, *options):
        return self.succeeds(fude("generate", world().model, "--prompt", "Alice", "--max-tokens", 60, *options))

    def test_answers_keep_to_it(self):
        self.assertRegex(self.answer("--regex", "[ab]{3}c?").out, r"\A[ab]{3}c?\n\Z")
        grammar = self.write("g.gbnf", 'root ::= "yes" | "no"')
        self.assertIn(self.answer("--grammar", grammar, "--drafts", 3).out, ("yes\n", "no\n"))
        schema = '{"type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 99}}, "required": ["n"], "additionalProperties": false}'
        for given in (schema, self.write("schema.json", schema)):
            value = json.loads(self.answer("--json-schema", given, "--temperature", 0).out)
            self.assertEqual((list(value), type(value["n"])), (["n"], int))

    def test_half_an_answer_is_a_failure(self):
        generate, chat = ("generate", world().model, "--prompt", "Alice"), ("chat", world().model)
        endless = ("--regex", "a{1000}", "--max-tokens", 3)
        for command in (generate, chat):
            result = self.fails(fude(*command, *endless, "--json", stdin=b"Alice\nBob\n"), FAILED, "not complete", "after 3 tokens; --max-tokens")
            self.assertEqual([line["finish_reason"] for line in result.lines()], ["length"])
        self.fails(fude(*generate, "--regex", "a{1000}", "--max-tokens", 1000), FAILED, "not complete: stopped at the end of the context")
        self.assertEqual(self.answer("--regex", "ab").err, "")
        for most in range(1, 3):  # as many tokens as it takes, where the grammar leaves no more to say
            self.assertEqual(self.succeeds(fude(*generate, "--regex", "a", "--max-tokens", most)).err, "")
        self.assertEqual(self.succeeds(fude(*generate, "--max-tokens", 3)).err, "")

    def test_on_a_terminal_the_chat_goes_on_after_half_an_answer(self):
        with Terminal(self, "chat", world().model, "--regex", "a{1000}", "--max-tokens", 3, "--drop-oldest") as terminal:
            for turn in (1, 2):
                terminal.wait_until(lambda screen: screen.count(b"\r\n> ") >= turn and terminal.is_edited())
                terminal.type(b"Alice\n")
                terminal.wait_until(lambda screen: screen.count(b"not complete: stopped after 3 tokens") == turn)

    def test_schemas_are_files_or_texts(self):
        run = ("generate", world().model, "--prompt", "Alice", "--max-tokens", 3, "--json-schema")
        for name in ("none.json", "tool.json", self.folder / "none"):
            self.fails(fude(*run, name), FAILED, "there is no file", name)
        self.fails(fude(*run, "{"), FAILED, "JSON")
        for text in ("{}", " true ", "\n{}\n"):
            self.assertNotEqual(fude(*run, text).out, "", text)

    def test_mistakes(self):
        run = ("generate", world().model, "--prompt", "Alice")
        self.fails(fude(*run, "--json-schema", '{"uniqueItems": true}'), FAILED, "uniqueItems")
        self.fails(fude(*run, "--regex", "(a"), FAILED, "regex")
        self.fails(fude(*run, "--regex", "a", "--json-schema", "{}"), USAGE, "--json-schema")
