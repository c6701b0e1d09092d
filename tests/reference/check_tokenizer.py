"""Shows that transformers loads a tokenizer's folder, and prints what it makes of texts.

    python check_tokenizer.py --tokenizer DIR --texts texts.json [--expect ids.json]

texts.json is a list of texts. Prints {"eos", "pad", "special", "ids", "bare", "decoded"}: the ids of the end and
padding tokens, how many tokens are special, and for each text its ids with and without special tokens and what the
former decode to. Exits with 1 if any of that is not as in the expected file, which is laid out alike.
"""

import argparse
import json
import sys
from pathlib import Path

from transformers import AutoTokenizer


def look(folder: Path, texts: list[str]) -> dict:
    """What AutoTokenizer makes of the texts."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = [tokenizer(text)["input_ids"] for text in texts]
    return {
        "eos": tokenizer.eos_token_id,
        "pad": tokenizer.pad_token_id,
        "special": len(tokenizer.all_special_ids),
        "size": len(tokenizer),
        "ids": ids,
        "bare": [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts],
        "decoded": [tokenizer.decode(row, clean_up_tokenization_spaces=False) for row in ids],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder of the tokenizer")
    parser.add_argument("--texts", type=Path, required=True, help="a list of texts, as JSON")
    parser.add_argument("--expect", type=Path, help="what is to be found")
    options = parser.parse_args()
    found = look(options.tokenizer, json.loads(options.texts.read_text()))
    print(json.dumps(found, ensure_ascii=False))
    if options.expect is None:
        return 0
    expected = json.loads(options.expect.read_text())
    wrong = [key for key in found if found[key] != expected.get(key)]
    for key in wrong:
        print(f"{key}: expected {expected.get(key)}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
