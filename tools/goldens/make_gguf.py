#!/usr/bin/env python3
"""Writes tests/goldens/gguf/tiny.gguf with the Python package gguf: every type of value, and tensors of several types.

tools/goldens/make_gguf.py OUT. Beside a tensor X there is "expected.X", the F32 that the package decodes it to. What else the
file says is written down in tests/tensor/gguf_test.cc.
"""
import pathlib
import sys

import gguf
import numpy as np


def main():
    path = pathlib.Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(str(path), "tiny")
    writer.add_uint8("a.u8", 255)
    writer.add_int8("a.i8", -128)
    writer.add_uint16("a.u16", 65535)
    writer.add_int16("a.i16", -32768)
    writer.add_uint32("a.u32", 4294967295)
    writer.add_int32("a.i32", -2147483648)
    writer.add_uint64("a.u64", 2**64 - 1)
    writer.add_int64("a.i64", -2**63)
    writer.add_float32("a.f32", 0.1)
    writer.add_float64("a.f64", 0.1)
    writer.add_bool("a.boolean", True)
    writer.add_string("a.string", "深い")
    writer.add_array("tokenizer.ggml.tokens", ["<s>", "", "ab", "é"])
    writer.add_array("tokenizer.ggml.scores", [0.0, -1.5, 2.0])
    writer.add_array("tokenizer.ggml.token_type", [1, -2, 3])
    writer.add_array("a.booleans", [True, False, True])
    random = np.random.default_rng(5)
    for name in ["F32", "F16", "BF16", "Q8_0", "Q4_1", "Q5_0"]:
        kind = gguf.GGMLQuantizationType[name]
        values = (random.standard_normal((3, 32)) * 0.02).astype(np.float32)
        data = gguf.quants.quantize(values, kind)
        writer.add_tensor(name, data, raw_dtype=kind)
        writer.add_tensor("expected." + name, gguf.quants.dequantize(data, kind).reshape(values.shape))
    for name in ["Q4_K", "Q6_K"]:
        kind = gguf.GGMLQuantizationType[name]
        data = random.integers(0, 100, (1, gguf.GGML_QUANT_SIZES[kind][1]), np.uint8)
        writer.add_tensor(name, data, raw_dtype=kind)
        writer.add_tensor("expected." + name, gguf.quants.dequantize(data, kind).reshape(1, 256))
    writer.add_tensor("cube", np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    writer.add_tensor("Q2_K", np.zeros((1, 84), np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q2_K)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main()
