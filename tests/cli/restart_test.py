"""An answer that was cut off goes on in another process, with the bits that it would have had: docs/engine.md."""

from harness import Case, fude, world

TOKENS, SAID = 16, 8


class Restart(Case):
    def lines(self, command, text, *options):
        return self.succeeds(fude(command, world().model, "--logprobs", *options, stdin=text)).lines()

    def tokens_of(self, text):  # but the first; none where the text ends within a character
        if text.decode(errors="ignore").encode() != text:
            return None
        return [line["token"] for line in self.lines("score", text)[:-1]]

    def test_what_was_said_is_the_prompt_of_the_rest(self):
        prompt = b"Alice lives in"
        for penalty in (1, 1.3):  # it counts the prompt's tokens too
            for seed in range(200):
                how = ("--seed", seed, "--temperature", 1, "--repetition-penalty", penalty)
                *whole, end = self.lines("generate", prompt, *how, "--max-tokens", TOKENS, "--threads", 2)
                said = prompt + b"".join(bytes(line["bytes"]) for line in whole[:SAID])
                # As a text it must be cut into the tokens that were drawn.
                if len(whole) > SAID and self.tokens_of(said) == self.tokens_of(prompt) + [line["token"] for line in whole[:SAID]]:
                    break
            else:
                self.fail("no answer whose text is cut into its tokens")
            *rest, other_end = self.lines("generate", said, *how, "--max-tokens", TOKENS - SAID, "--threads", 1)
            self.assertEqual(rest, whole[SAID:])
            self.assertEqual(other_end["finish_reason"], end["finish_reason"])
