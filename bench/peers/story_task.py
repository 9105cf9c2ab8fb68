"""Questions for a step of reinforcement learning that is timed: some are paid, whatever the model can do.

A task for `fude rl --task "program:python3 story_task.py"` (docs/tasks.md), and the same questions and the same reward
for a peer that imports it. What is asked for is long, so that answers end where --max-tokens cuts them, and both sides
learn from equally many tokens. Right is an answer with an even number of characters.
"""

import json
import sys

ANIMALS = ["fox", "owl", "bear", "crow", "goat", "hare", "mole", "deer"]
PLACES = ["forest", "desert", "city", "village", "swamp", "castle", "valley", "cave"]


def question(number):
    return f"Write a very long story about a {ANIMALS[number % 8]} who lives in a {PLACES[number // 8 % 8]} far away."


def is_right(answer):
    return len(answer) > 0 and len(answer) % 2 == 0


def main():
    for line in sys.stdin:
        ask = json.loads(line)
        if "make" in ask:
            reply = {"prompt": question(ask["make"]["counter"]), "answer": "an even number of characters"}
        else:
            reply = {"right": is_right(ask["verify"]["answer"])}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
