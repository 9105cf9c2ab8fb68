#!/usr/bin/env python3
"""Reads GGUF files with the Python package gguf, and compares every tensor X with "expected.X" where a file has both.

tools/check_gguf.py FILE…; run it on what tensor_test leaves behind: /tmp/fude_gguf_test.gguf.
"""
import sys

import gguf
import numpy as np


def main():
    for path in sys.argv[1:]:
        reader = gguf.GGUFReader(path)
        for key, field in reader.fields.items():
            print(key, [kind.name for kind in field.types], str(field.contents())[:80])
        tensors = {tensor.name: tensor for tensor in reader.tensors}
        compared = 0
        for name, tensor in tensors.items():
            twin = tensors.get("expected." + name)
            if twin is None:
                continue
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            if tensor.shape.tolist() != twin.shape.tolist() or values.tobytes() != twin.data.tobytes():
                sys.exit(f"{path}: {name} ({tensor.tensor_type.name}) is not what is expected")
            compared += 1
        print(f"{path}: {len(reader.fields)} fields, {len(tensors)} tensors, {compared} compared, equal")


main()
