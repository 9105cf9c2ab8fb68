"""OpenVINO GenAI with continuous batching on the rows of `fude bench generate`.

    python3 openvino_generate.py FOLDER [--rounds R] [--threads N] [--filter ROW]

FOLDER: `optimum-cli export openvino --model HF --task text-generation-with-past --weight-format int8 FOLDER`
(pip install openvino-genai optimum-intel nncf). A batch's rate leaves out the time of its prompts, as Fude's does:
that of so many tokens less that of one. One line of JSON per row.
"""

import argparse
import json
import random
import statistics
import time

import numpy
import openvino
import openvino_genai

PREFILL, SHALLOW, DEEP, NEW = 512, 16, 4096, 16


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--filter", action="append", default=[])
    options = parser.parse_args()
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.cache_size = 2
    scheduler.max_num_batched_tokens = 8192
    scheduler.enable_prefix_caching = False
    pipe = openvino_genai.ContinuousBatchingPipeline(options.folder, scheduler, "CPU",
                                                     {"INFERENCE_NUM_THREADS": options.threads})
    draws = random.Random(5)

    def seconds(batch, size, new):
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens = config.min_new_tokens = new
        config.ignore_eos, config.do_sample = True, False
        prompts = [openvino.Tensor(numpy.array([[draws.randrange(1000, 40000) for _ in range(size)]], dtype=numpy.int64))
                   for _ in range(batch)]
        begin = time.perf_counter()
        pipe.generate(prompts, [config] * batch)
        return time.perf_counter() - begin

    def measure(name, sample):
        if options.filter and not any(text in name for text in options.filter):
            return
        sample()
        samples = [sample() for _ in range(options.rounds)]
        print(json.dumps({"name": name, "value": statistics.median(samples), "unit": "tok/s", "low": min(samples),
                          "high": max(samples), "version": openvino_genai.__version__}), flush=True)

    measure(f"prefill {PREFILL}", lambda: PREFILL / seconds(1, PREFILL, 1))
    for batch in (1, 8, 16, 64):
        new = NEW if batch > 1 else 4 * NEW
        measure(f"decode {batch}", lambda: batch * (new - 1) / (seconds(batch, SHALLOW, new) - seconds(batch, SHALLOW, 1)))
    measure(f"depth {DEEP}", lambda: (NEW - 1) / (seconds(1, DEEP, NEW) - seconds(1, DEEP, 1)))


if __name__ == "__main__":
    main()
