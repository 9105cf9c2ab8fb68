"""Does a folder that Fude saved hold the very model that the original folder holds?

    python3 check_roundtrip.py FOLDER ORIGINAL

Loads both with transformers, in the type they are stored in, and compares their logits on
random tokens.  Prints the largest difference; exits with 1 unless every logit has the same
bits.
"""

import sys

import torch
import transformers

transformers.logging.set_verbosity_error()


def load(folder):
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype="auto", local_files_only=True, output_loading_info=True
    )
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info.get(problem):
            sys.exit(f"{folder}: {problem.replace('_', ' ')}: {sorted(info[problem])}")
    return model.eval()


@torch.no_grad()
def main():
    if len(sys.argv) != 3:
        sys.exit("usage: check_roundtrip.py FOLDER ORIGINAL")
    torch.set_num_threads(1)
    saved, original = load(sys.argv[1]), load(sys.argv[2])
    if type(saved) is not type(original):
        sys.exit(f"a {type(saved).__name__} was saved of a {type(original).__name__}")
    if saved.dtype != original.dtype:
        sys.exit(f"saved as {saved.dtype}, the original is {original.dtype}")
    config = original.config
    length = min(16, getattr(config, "max_position_embeddings", None) or config.n_positions)
    generator = torch.Generator().manual_seed(17)
    tokens = torch.randint(0, config.vocab_size, (3, length), generator=generator)
    a, b = saved(tokens).logits, original(tokens).logits
    if a.shape != b.shape:
        sys.exit(f"logits of shape {tuple(a.shape)}, the original's are {tuple(b.shape)}")
    difference = (a.double() - b.double()).abs().max().item()
    same = torch.equal(a.view(torch.uint8), b.view(torch.uint8)) and not a.isnan().any()
    print(f"max |difference| {difference:g} over {a.numel()} logits" + (", same bits" if same else ""))
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
