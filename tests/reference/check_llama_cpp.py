"""Shows that llama.cpp reads a GGUF file, and that it goes on with the same tokens.

    python check_llama_cpp.py --gguf FILE --ids "[3, 4]" --expect "[5, 6]" [--text TEXT --tokens "[7, 8]"]

Needs llama-cpp-python 0.3.36, which takes a quarter of an hour to build, and is therefore not among the requirements. Exits
with 1 if greedy decoding of the ids gives others than expected, or the text other tokens.
"""

import argparse
import json
import sys

from llama_cpp import Llama


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gguf", required=True)
    parser.add_argument("--ids", type=json.loads, required=True)
    parser.add_argument("--expect", type=json.loads, required=True)
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--text")
    parser.add_argument("--tokens", type=json.loads)
    options = parser.parse_args()
    # Keys and values in 32 bits (0), not in 16: the golden models have tokens that are nearer to each other than that.
    model = Llama(options.gguf, n_ctx=options.context, n_threads=1, verbose=False, type_k=0, type_v=0)
    if options.text is not None:
        found = model.tokenize(options.text.encode(), add_bos=False, special=True)
        if found != options.tokens:
            sys.exit(f"the text is {found}, not {options.tokens}")
    found = []
    for token in model.generate(options.ids, top_k=1, temp=0.0, repeat_penalty=1.0):
        found.append(token)
        if len(found) == len(options.expect):
            break
    if found != options.expect:
        sys.exit(f"the answer is {found}, not {options.expect}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
