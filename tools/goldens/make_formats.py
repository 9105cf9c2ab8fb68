#!/usr/bin/env python3
"""Writes tests/goldens/formats/NAME.bin for every weight format: what ggml's own C makes of bytes, and of numbers.

tools/goldens/make_formats.py GGML OUT: GGML is the folder `ggml` of llama.cpp's source, whose ggml-quants.c is compiled here
without FMA; OUT is tests/goldens/formats. Needs numpy, gguf (a second opinion on decoding) and cc. An optional third
argument multiplies how much is written, for a thorough comparison by hand.

A file is: two int32, D and E; D blocks as bytes and the f32 they decode to; E blocks' worth of f32 and the bytes they
encode to. All little-endian.
"""
import ctypes
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy as np

NAMES = ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"]
SHIM = """
#include "ggml-quants.h"
#include "ggml-impl.h"
void decode_F16(const ggml_fp16_t* x, float* y, int64_t k) { while (k--) *y++ = ggml_compute_fp16_to_fp32(*x++); }
void encode_F16(const float* x, ggml_fp16_t* y, int64_t k) { while (k--) *y++ = ggml_compute_fp32_to_fp16(*x++); }
void decode_BF16(const ggml_bf16_t* x, float* y, int64_t k) { while (k--) *y++ = ggml_compute_bf16_to_fp32(*x++); }
void encode_BF16(const float* x, ggml_bf16_t* y, int64_t k) { while (k--) *y++ = ggml_compute_fp32_to_bf16(*x++); }
"""


def build(ggml):
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "shim.c").write_text(SHIM)
    # What ggml-quants.c calls elsewhere is for logging and tables that nothing here needs: left unresolved.
    subprocess.run(["cc", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-w", f"-I{ggml}/include", f"-I{ggml}/src",
                    f"{ggml}/src/ggml-quants.c", str(folder / "shim.c"), "-o", str(folder / "ggml.so"), "-lm"], check=True)
    return ctypes.CDLL(str(folder / "ggml.so"), mode=1)


def call(library, name, source, target, values):
    function = getattr(library, name)
    function.restype = None
    function(ctypes.c_void_p(source.ctypes.data), ctypes.c_void_p(target.ctypes.data), ctypes.c_int64(values))
    return target


def blocks_to_decode(name, block_bytes, count, random):
    """Random bytes; then sensible scales under them; then the edges of f16 as scales."""
    blocks = random.integers(0, 256, (count, block_bytes), np.uint8)
    halves = [0] if name[1] in "845" else []
    if name in ("Q4_1", "Q5_1", "Q4_K", "Q5_K"):
        halves = [0, 2]
    if name == "Q6_K":
        halves = [208]
    edges = [0x0001, 0x7BFF, 0x7C00, 0x7E01, 0x83FF, 0x8000, 0x0000, 0x0400, 0xFBFF, 0xFC00]
    for at in halves:
        normal = (random.standard_normal(count) * 0.01).astype(np.float16).view(np.uint8).reshape(count, 2)
        blocks[count // 4:, at:at + 2] = normal[count // 4:]
    for i, edge in enumerate(edges[:count // 2]):
        for at in halves:
            blocks[-1 - i, at:at + 2] = np.array([edge], "<u2").view(np.uint8)
    if not halves:
        blocks[:len(edges)] = np.array(edges, "<u2").view(np.uint8).reshape(-1, 2)
    return blocks


def numbers_to_encode(name, block, count, random):
    """Rows of weights as models have them, and odd ones."""
    x = (random.standard_normal((count, block)) * 0.02).astype(np.float32)
    shape = x.shape[1]
    odd = [np.zeros(shape), np.full(shape, 0.7), np.full(shape, -0.7), np.abs(x[0]), -np.abs(x[1]), x[2] * 1e-6, x[3] * 1e6,
           x[4] + 3, np.where(np.arange(shape) % 7 == 0, x[5] * 50, x[5]), np.where(np.arange(shape) < shape // 2, 0, x[6]),
           random.standard_t(3, shape) * 0.02, np.sign(x[8]), np.round(x[9] * 300), x[10] * 1e-9, random.integers(-8, 8, shape) / 8,
           np.linspace(-1, 1, shape), x[11] * np.exp(np.linspace(0, 6, shape))]
    for i, row in enumerate(odd[:count - 1] if block > 1 else []):
        x[i] = row
    if block == 1:
        spread = random.integers(0, 2**32, count, np.uint32).view(np.float32)
        spread = np.where(np.isfinite(spread), spread, 0)
        halves = random.integers(0, 0x7C00, count, np.uint16)
        between = (halves.view(np.float16).astype(np.float64) + (halves + 1).astype(np.uint16).view(np.float16)) / 2
        x[:, 0] = np.where(np.arange(count) % 3 == 0, spread, np.where(np.arange(count) % 3 == 1, between, x[:, 0]))
        x[:12, 0] = [0, -0.0, 65504, 65519.996, 65520, -65536, 2**-24, 2**-25, 2**-25 * 1.0001, 6.1e-5, np.inf, -np.inf]
    return np.ascontiguousarray(x, np.float32)


def main():
    library, out, more = build(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1
    out.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        random = np.random.default_rng(7)
        block, block_bytes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]
        given_count, count = [size * more for size in {1: (512, 512), 32: (32, 32), 256: (12, 18)}[block]]
        plain = block == 1
        decode, encode = ("decode_" + name, "encode_" + name) if plain else (
            f"dequantize_row_{name[0].lower() + name[1:]}", f"quantize_row_{name[0].lower() + name[1:]}_ref")
        given = blocks_to_decode(name, block_bytes, given_count, random)
        values = call(library, decode, given, np.zeros((given_count, block), np.float32), given_count * block)
        with np.errstate(all="ignore"):
            second = gguf.quants.dequantize(given, gguf.GGMLQuantizationType[name]).reshape(values.shape)
        assert np.array_equal(second, values, equal_nan=True), name
        numbers = numbers_to_encode(name, block, count, random)
        made = call(library, encode, numbers, np.zeros((count, block_bytes), np.uint8), count * block)
        with open(out / f"{name}.bin", "wb") as file:
            np.array([given_count, count], "<i4").tofile(file)
            for array in (given, values, numbers, made):
                array.tofile(file)


main()
