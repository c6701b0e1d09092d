"""Writes tests/golden/vocabularies/: tokenizers that come as bare vocabularies, and what transformers makes of texts.

    python vocabularies.py [FOLDER]
"""

import json
import sys
import tempfile
from pathlib import Path

from transformers import AutoTokenizer, BertTokenizerFast, GPT2Tokenizer, PreTrainedTokenizerFast, Qwen2Tokenizer

HERE = Path(__file__).parent
TEXTS = [
    "",
    "The quick brown fox jumped over the lazy dogs.",
    "unwanted, running; Unbelievable!",
    "春天来了，山间的小路开满了花。2024年",
    "Café naïve Ångström ÉCOLE",
    "mixed 中文 and English、日本語かな한국어",
    "  spaces\tand\nlines\r\n  ",
    "[CLS] spelled out [SEP] [MASK] [cls]",
    "emoji 🙂👩‍👩‍👧 and \u200b zero width, soft\u00adhyphen",
    "x" * 120,
    "#hash ##ed e\u0301 e",
    "<|im_start|>user\nHello<|im_end|>\n<extra> <plain>word <|endoftext|>",
    "I'll say it's 12345, don't!  Done.\n\n\nNew",
]
CHARACTERS = "abcdefghijklmnopqrstuvwxyzTQCEAUD0123456789.,;!#'-()[]|<>:/éÅï、，。"
WORDS = "the quick brown fox over lazy dog un run want hello user and it say new line spaces mixed The Caf École cafe naive angstrom ecole"
CHINESE = "春天来了山间的小路开满花年中文日本語"
PIECES = "##s ##ed ##ing ##ning ##wanted ##believable ##a ##b ##e ##é ##i ##k ##n ##r ##u ##x ##h ##l ##m ##か ##な ##국 ##어 か 한"
# A configuration of BertTokenizer, and the other files of the folder.
BERT = [
    {},
    {"do_lower_case": False},
    {"do_lower_case": False, "strip_accents": True},
    {"strip_accents": False},
    {"tokenize_chinese_chars": False},
    {"added_tokens_decoder": {"5": {"content": "<extra>", "lstrip": False, "rstrip": True, "normalized": False, "single_word": False, "special": True}}},
]
ADDED = {
    "320": {"content": "<extra>", "lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True},
    "321": {"content": "<plain>", "lstrip": False, "rstrip": False, "normalized": True, "single_word": False, "special": False},
}


def bert_vocabulary():
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<extra>", *CHARACTERS, *WORDS.split(), *CHINESE, *PIECES.split()]
    return list(dict.fromkeys(tokens))


def found(tokenizer):
    """Ids with and without special tokens, and what they decode to."""
    return [
        {
            "text": text,
            "ids": tokenizer(text)["input_ids"],
            "bare": tokenizer(text, add_special_tokens=False)["input_ids"],
            "decoded": tokenizer.decode(tokenizer(text)["input_ids"], clean_up_tokenization_spaces=False),
        }
        for text in TEXTS
    ]


def case(kind, files, load):
    """A folder with these files, as transformers loads it."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
            Path(folder, name).write_text(text)
        tokenizer = load(folder)
        special = {"eos": tokenizer.eos_token_id, "pad": tokenizer.pad_token_id, "bos": tokenizer.bos_token_id}
        own = {name: content for name, content in files.items() if name not in ("vocab.txt", "vocab.json", "merges.txt", "tokenizer.json")}
        return {"kind": kind, "files": own, "special": special, "found": found(tokenizer)}


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "golden" / "vocabularies"
    folder.mkdir(parents=True, exist_ok=True)
    vocab = "".join(token + "\n" for token in bert_vocabulary())
    (folder / "vocab.txt").write_text(vocab)
    base = json.loads((HERE.parent / "golden" / "chat" / "tokenizer.json").read_text())
    model = base["model"]
    last = len(model["vocab"])
    merges = "#version: 0.2\n" + "".join(" ".join(pair) + "\n" for pair in model["merges"])
    (folder / "vocab.json").write_text(json.dumps({**model["vocab"], "<|endoftext|>": last}, ensure_ascii=False))
    (folder / "merges.txt").write_text(merges)

    cases = []
    for config in BERT:
        cases.append(case("bert", {"vocab.txt": vocab, "tokenizer_config.json": config}, BertTokenizerFast.from_pretrained))
    legacy = {"vocab.txt": vocab, "special_tokens_map.json": {"mask_token": "<extra>", "unk_token": "[UNK]"}}
    cases.append(case("bert", legacy, BertTokenizerFast.from_pretrained))
    bare = {"vocab.json": (folder / "vocab.json").read_text(), "merges.txt": merges}
    decoder = {str(last): {"content": "<|endoftext|>", "special": True}, str(last + 1): {"content": "<|pad|>", "special": True}}
    cases.append(case("byte-level", {**bare, "tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer"}}, GPT2Tokenizer.from_pretrained))
    config = {"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": decoder, "pad_token": "<|pad|>"}
    cases.append(case("byte-level", {**bare, "tokenizer_config.json": config}, Qwen2Tokenizer.from_pretrained))
    whole = {"tokenizer.json": base}
    own = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>"}
    with_decoder = {**own, "added_tokens_decoder": {str(int(i) - 320 + last): token for i, token in ADDED.items()}}
    cases.append(case("tokenizer.json", {**whole, "tokenizer_config.json": with_decoder}, AutoTokenizer.from_pretrained))
    legacy = {"tokenizer_config.json": {**own, "additional_special_tokens": ["<extra>"]}, "added_tokens.json": {"<extra>": last, "<plain>": last + 1}}
    cases.append(case("tokenizer.json", {**whole, **legacy}, AutoTokenizer.from_pretrained))
    lines = ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases)
    (folder / "cases.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
