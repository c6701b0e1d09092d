"""Writes tests/golden/chat/cases.json: chat templates as transformers renders them, with its assistant masks.

    python chat.py [FILE]

The templates in chat_templates/ are written for these tests, in the forms that the model families use.
"""

import datetime
import json
import sys
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

HERE = Path(__file__).parent
SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"]
SPECIAL += ["<|head|>", "<|/head|>", "<|eot|>", "[INST]", "[/INST]"]
TODAY = datetime.datetime(2024, 7, 26, 9, 5, 7)


class Clock(datetime.datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz=None):
        return TODAY


def message(role, content, **more):
    return {"role": role, "content": content, **more}


SYSTEM = message("system", "  Be brief. ")
HELLO = message("user", "Hello, who are you?")
ANSWER = message("assistant", "A small model.")
MORE = message("user", "春天来了，<b>Write</b> & \"sing\"!")
THOUGHT = message("assistant", "<think>\nIt is spring.\n</think>\n\n花开了。")
LAST = message("assistant", "花开了。\nGoodbye.")
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tell the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        "return": {"type": "string"},
    },
}
CALL = {
    "role": "assistant",
    "tool_calls": [{"id": "abcdefghi", "type": "function", "function": {"name": "weather", "arguments": {"city": "Zürich"}}}],
}
RESULT = message("tool", "sunny", tool_call_id="abcdefghi")
TWO_CALLS = message("assistant", "Let me look.", tool_calls=[
    *CALL["tool_calls"],
    {"id": "abcdefghj", "type": "function", "function": {"name": "heat", "arguments": {"city": "Bern", "days": [1, 2]}}},
])
CONVERSATIONS = {
    "question": [HELLO],
    "one turn": [HELLO, ANSWER],
    "system and two turns": [SYSTEM, HELLO, ANSWER, MORE, LAST],
    "two turns": [HELLO, ANSWER, MORE, LAST],
    "thoughts": [HELLO, THOUGHT, MORE, THOUGHT],
    "open": [SYSTEM, HELLO, THOUGHT, MORE],
    "reasoning apart": [HELLO, message("assistant", "Yes.", reasoning="So."), MORE],
    "nulls": [message("user", "a", tool_calls=None, name=None), message("assistant", "b", tool_calls=None)],
    "out of turn": [HELLO, HELLO],
    "tools": [HELLO, CALL, RESULT],
    "calls": [SYSTEM, HELLO, TWO_CALLS, RESULT, message("tool", "22 °C", tool_call_id="abcdefghj"), ANSWER, MORE, CALL],
    "unknown role": [HELLO, message("critic", "No.")],
    "odd text": [message("user", "--a bar! ba\nsecond line!"), ANSWER],
}
VARIABLES = [{}, {"enable_thinking": False, "date_string": "1 Jan 2020"}]


def tokenizer():
    """Byte-level BPE on a few sentences, with the special tokens of all families."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = [AddedToken(token, special=True, normalized=False) for token in SPECIAL]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    inner.train_from_iterator(["Hello, who are you? A small model. Be brief. 春天来了，花开了。 assistant user system"], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>", pad_token="</s>")


def case(fast, name, template, conversation, **options):
    """One rendering, or the error that transformers raises."""
    messages = CONVERSATIONS[conversation]
    asked = {"template": name, "conversation": conversation, **options}
    variables = options.pop("variables", {})
    arguments = {**options, **variables, "chat_template": template}
    try:
        text = fast.apply_chat_template(messages, tokenize=False, **arguments)
    except Exception as error:  # jinja's own, and Python's from within a template
        return {**asked, "error": str(error)}
    found = {**asked, "text": text}
    if "endgeneration" in template:
        tokens = fast.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True, **arguments)
        found |= {"ids": tokens["input_ids"], "mask": tokens["assistant_masks"]}
    return found


def main():
    chat_template_utils.datetime = Clock
    fast = tokenizer()
    templates = {path.stem: path.read_text() for path in sorted((HERE / "chat_templates").glob("*.jinja"))}
    cases = []
    for name, template in templates.items():
        for conversation in CONVERSATIONS:
            for variables in VARIABLES[: 2 if name in ("llama3", "qwen3") else 1]:
                for prompt in (False, True):
                    options = {"add_generation_prompt": prompt}
                    if conversation in ("tools", "calls") and name in ("llama3", "qwen2", "qwen2_5", "mistral"):
                        options["tools"] = [WEATHER]
                    if variables:
                        options["variables"] = variables
                    cases.append(case(fast, name, template, conversation, **options))
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "golden" / "chat"
    folder.mkdir(parents=True, exist_ok=True)
    golden = {"date": TODAY.strftime("%Y-%m-%d"), "templates": templates, "conversations": CONVERSATIONS}
    lines = ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases)
    head = json.dumps(golden, ensure_ascii=False, indent=1)[:-2]
    (folder / "cases.json").write_text(f'{head},\n "cases": [\n{lines}\n]}}\n')
    fast.backend_tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    config = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>", "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")


if __name__ == "__main__":
    main()
