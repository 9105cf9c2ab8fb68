"""Turns a golden's Hugging Face folder into model.gguf with llama.cpp's own converter, in float32 and without a vocabulary.

    python3 make_gguf_model.py LLAMA_CPP FOLDER...

LLAMA_CPP is its source (the sdist of llama-cpp-python has it as vendor/llama.cpp). Each FOLDER gets model.gguf.
"""

import json
import pathlib
import shutil
import sys
import tempfile


def main():
    source, *folders = sys.argv[1:]
    sys.path[:0] = [source, f"{source}/gguf-py"]
    import gguf
    import torch
    from conversion import get_model_class
    from conversion.base import ModelBase, ModelType, get_model_architecture

    for folder in map(pathlib.Path, folders):
        with tempfile.TemporaryDirectory() as work, torch.inference_mode():
            work = pathlib.Path(work) / folder.name
            work.mkdir()
            shutil.copy(folder / "model.safetensors", work)
            config = json.loads((folder / "config.json").read_text())
            if config["model_type"] == "gpt2":
                config["n_ctx"] = config["n_positions"]  # transformers no longer writes it
            (work / "config.json").write_text(json.dumps(config))
            hparams = ModelBase.load_hparams(work, False)
            kind = get_model_class(get_model_architecture(hparams, ModelType.TEXT))
            kind.set_vocab = lambda self: None
            vocabulary = {str(i): i for i in range(config["vocab_size"])}  # counted for Gemma
            (work / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}, "added_tokens": []}))
            kind(work, gguf.LlamaFileType.ALL_F32, folder / "model.gguf", eager=True, model_name=folder.name).write()


if __name__ == "__main__":
    main()
