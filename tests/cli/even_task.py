"""A task that any model is sometimes right at: an answer of an even number of characters, and not an empty one."""

import json
import sys

for line in sys.stdin:
    ask = json.loads(line)
    if "make" in ask:
        number = ask["make"]["counter"] % 5000
        reply = {"prompt": f"Even {number}?", "answer": "ab"}
    else:
        if sys.argv[1:] == ["no-verdict"]:
            sys.exit(1)
        said = ask["verify"]["answer"]
        reply = {"right": len(said) > 0 and len(said) % 2 == 0}
    print(json.dumps(reply), flush=True)
