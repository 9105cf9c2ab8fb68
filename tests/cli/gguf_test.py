"""A GGUF file as the model of a command: made here by the format's own rules, tiny and untrained."""

import random
import struct
import unittest

from harness import FAILED, Case, fude

U32, F32, BOOLEAN, STRING, ARRAY, I32 = 4, 6, 7, 8, 9, 5
TEMPLATE = "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>{% endfor %}<s>assistant:"


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind, x):
    return text(x) if kind == STRING else struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOLEAN: "<?"}[kind], x)


def gguf(keys, tensors, seed=1):
    """keys: {name: (type, value) or (type, [values])}; tensors: {name: shape, the extent that lies together first}, in F32."""
    draw, head, data = random.Random(seed), b"", b""
    for name, (kind, x) in keys.items():
        head += text(name)
        if isinstance(x, list):
            head += struct.pack("<IIQ", ARRAY, kind, len(x)) + b"".join(value(kind, one) for one in x)
        else:
            head += struct.pack("<I", kind) + value(kind, x)
    for name, shape in tensors.items():
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        data += struct.pack(f"<{count}f", *(draw.gauss(0, 0.3) if len(shape) > 1 else 1.0 for _ in range(count)))
        data += bytes(-len(data) % 32)
    start = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + head
    return start + bytes(-len(start) % 32) + data


def model(**changes):
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "▁a"]
    width, inner, p = 32, 48, "llama."
    keys = {
        "general.architecture": (STRING, "llama"), p + "block_count": (U32, 1), p + "embedding_length": (U32, width),
        p + "feed_forward_length": (U32, inner), p + "context_length": (U32, 128), p + "attention.head_count": (U32, 2),
        p + "attention.head_count_kv": (U32, 1), p + "attention.layer_norm_rms_epsilon": (F32, 1e-5),
        "tokenizer.ggml.model": (STRING, "llama"), "tokenizer.ggml.tokens": (STRING, tokens),
        "tokenizer.ggml.scores": (F32, [-float(i) for i in range(len(tokens))]),
        "tokenizer.ggml.token_type": (I32, [2, 3, 3, *[6] * 256, 1, 1, 1]),
        "tokenizer.ggml.bos_token_id": (U32, 1), "tokenizer.ggml.eos_token_id": (U32, 2), "tokenizer.ggml.unknown_token_id": (U32, 0),
        "tokenizer.ggml.add_bos_token": (BOOLEAN, True), "tokenizer.chat_template": (STRING, TEMPLATE), **changes}
    b = "blk.0."
    tensors = {"token_embd.weight": (width, len(tokens)), "output_norm.weight": (width,), b + "attn_norm.weight": (width,),
               b + "ffn_norm.weight": (width,), b + "attn_q.weight": (width, width), b + "attn_k.weight": (width, width // 2),
               b + "attn_v.weight": (width, width // 2), b + "attn_output.weight": (width, width),
               b + "ffn_gate.weight": (width, inner), b + "ffn_up.weight": (width, inner), b + "ffn_down.weight": (inner, width)}
    return gguf({key: x for key, x in keys.items() if x is not None}, tensors)


class GgufModel(Case):
    def test_generate_chat_score_info(self):
        path = self.write("model.gguf", model())
        run = ("--max-tokens", 8, "--temperature", 0)
        first = self.succeeds(fude("generate", path, "--prompt", "a a", *run)).out
        self.assertEqual(self.succeeds(fude("generate", path, "--prompt", "a a", *run, "--threads", 1)).out, first)
        self.assertEqual(self.succeeds(fude("chat", path, *run, stdin=b"a\n</s> a\n")).out.count("\n") >= 2, True)
        # "a a" is begin, ▁a, ▁a; the mark of the beginning is not scored.
        self.assertEqual(self.succeeds(fude("score", path, "--text", "a a", "--json")).lines()[0]["tokens"], 2)
        facts = self.succeeds(fude("info", path, "--json")).lines()[0]
        self.assertEqual((facts["family"], facts["vocabulary"], facts["layers"]), ("llama", 262, 1))
        self.assertEqual(facts["metadata"]["llama.context_length"], 128)

    def test_what_is_no_model(self):
        whole = model()
        for content, word in ((b"GGUF", "truncated"), (whole[:-40], "model.gguf"), (model(**{"general.architecture": (STRING, "bert")}), "bert"),
                              (model(**{"llama.block_count": (U32, 2)}), "missing"), (model(**{"llama.attention.head_count": None}), "head_count"),
                              (model(**{"llama.feed_forward_length": (U32, 49)}), "shape"), (model(**{"tokenizer.ggml.model": (STRING, "rwkv")}), "rwkv")):
            with self.subTest(word=word):
                self.fails(fude("generate", self.write("model.gguf", content), "--prompt", "a"), FAILED, word)

    def test_part_of_a_model_is_not_written_again(self):
        """Of a split file, or one that lacks blocks: the copy would look like a model."""
        for changes, word in (({"split.count": (U32, 3)}, "one of 3 parts"), ({"llama.block_count": (U32, 2)}, "missing")):
            path, out = self.write("model.gguf", model(**changes)), self.folder / "out.gguf"
            self.fails(fude("quantize", path, out, "--type", "Q8_0"), FAILED, word)
            self.fails(fude("convert", path, out), FAILED, word)
            self.assertFalse(out.exists())


if __name__ == "__main__":
    unittest.main()
