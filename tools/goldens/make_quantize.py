"""Which tensor llama.cpp quantises to what: its own table, cut down to the mixtures that Fude has.

    python3 make_quantize.py LLAMA_CPP tests/goldens/quantize

LLAMA_CPP is its source (the sdist of llama-cpp-python has it as vendor/llama.cpp). tests/snapshots/*.schema there are
written by its test-quant-type-selection from the shapes of published models: after "[MIXTURE] type", the tensors that
differ from that type.
"""

import pathlib
import re
import sys

MODELS = ["qwen3-0.6b", "qwen3-14b", "gemma-3-4b-it", "meta-llama-3.1-70b-instruct"]
MIXTURES = {"F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K_S", "Q4_K_M", "Q5_K_S", "Q5_K_M", "Q6_K"}


def main():
    source, out = map(pathlib.Path, sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    for model in MODELS:
        text = (source / "tests" / "snapshots" / f"{model}.schema").read_text()
        head, *sections = re.split(r"^(?=\[)", text, flags=re.MULTILINE)
        kept = [section for section in sections if section[1:section.index("]")] in MIXTURES]
        (out / f"{model}.schema").write_text(head + "".join(kept))


if __name__ == "__main__":
    main()
