"""Writes tests/golden/chat/answers.json: what a model has to write for the last message, after transformers' prompt.

    python chat_answers.py [FILE]

The prompt is what `apply_chat_template` renders of the messages before, with the generation prompt. Where the rendering
with the answer begins with it, the answer is the rest. Where it does not, it is found by what this script knows of each
template: the text with which the template begins a message of the assistant (`HEADS`). Both end with the first token that
ends a turn (`ENDS`). A block of thoughts that the prompt has opened and the rendering lacks is written here by hand.
"""

import json
import sys
from pathlib import Path

from transformers.utils import chat_template_utils

from chat import ANSWER, CALL, Clock, HELLO, HERE, LAST, MORE, RESULT, SYSTEM, message, tokenizer

ENDS = ["<|im_end|>", "<|eot|>", "<|end|>", "</s>"]
# What a template writes before a message of the assistant, as far as the generation prompt has it.
HEADS = {
    "channels": "<|head|>assistant",
    "llama3": "<|head|>assistant<|/head|>\n\n",
    "llama3_first": "<|head|>assistant<|/head|>\n\n",
    "mistral": "[/INST]",
    "mistral_v1": "[/INST]",
    "phi3": "<|assistant|>\n",
    "qwen2": "<|im_start|>assistant\n",
    "qwen3": "<|im_start|>assistant\n",
    "r1": "<A>",
    "thinking": "<|im_start|>assistant\n",
    "zephyr": "<|assistant|>\n",
}
SPACED = message("assistant", "  Fine.\n\n")
REASONED = message("assistant", "Yes.", reasoning_content="So it is.", thinking="So it is.")
BLOCK = message("assistant", "<think>\nSo it is.\n</think>\n\nYes.")
NULL = {**CALL, "content": None}
BESIDE = {**CALL, "content": "Let me look."}
THOUGHTFUL = {**CALL, "thinking": "Ask.", "reasoning_content": "Ask."}
CONVERSATIONS = {
    "one turn": [HELLO, ANSWER],
    "system": [SYSTEM, HELLO, ANSWER],
    "system and two turns": [SYSTEM, HELLO, ANSWER, MORE, LAST],
    "trimmed": [HELLO, SPACED],
    "reasoning": [HELLO, REASONED],
    "block": [HELLO, BLOCK],
    "second reasoning": [HELLO, REASONED, MORE, REASONED],
    "two in a row": [HELLO, ANSWER, LAST],
    "call": [HELLO, NULL],
    "call beside content": [HELLO, BESIDE],
    "result": [HELLO, THOUGHTFUL, RESULT, REASONED],
    "role names": [HELLO, message("assistant", "assistant")],
}
# The prompt has opened `<think>` and a line break; what the template writes for the message follows the block.
THOUGHTS = {"reasoning": "So it is.\n", "block": "So it is.\n", "second reasoning": "So it is.\n", "result": "So it is.\n"}


def cut(text, said):
    """Up to the first token that ends a turn, after what the message says."""
    start = max((text.find(part) + len(part) for part in said if part in text), default=0)
    ends = [(text.index(end, start), end) for end in ENDS if end in text[start:]]
    return text[: min(ends)[0] + len(min(ends)[1])] if ends else text


def says(message):
    """What has to be in a rendered message: its text and the functions that it calls."""
    said = [(message.get("content") or "").split("</think>")[-1].strip()]
    return [part for part in said + [call["function"]["name"] for call in message.get("tool_calls", [])] if part]


def answer(name, prompt, whole, conversation, last):
    said = says(last)
    if whole.startswith(prompt):
        rest = whole[len(prompt):]
        return cut(rest, said)
    head = HEADS[name]
    # The head of the last message: in front of all that it says.
    place = whole.rindex(said[-1])
    rest = whole[whole.rindex(head, 0, place) + len(head):]
    if name == "channels" and "thinking" in last and "analysis" in whole:
        rest = whole[whole.rindex("<|head|>assistant analysis") + len(head):]
    if prompt.endswith("<think>\n"):
        rest = THOUGHTS.get(conversation, "\n") + "</think>\n\n" + rest.lstrip()
    return cut(rest, said)


def main():
    chat_template_utils.datetime = Clock
    fast = tokenizer()
    cases = []
    for name in HEADS:
        template = (HERE / "chat_templates" / f"{name}.jinja").read_text()
        for conversation, messages in CONVERSATIONS.items():
            last = messages[-1]
            try:
                prompt = fast.apply_chat_template(
                    messages[:-1], tokenize=False, chat_template=template, add_generation_prompt=True
                )
                whole = fast.apply_chat_template(messages, tokenize=False, chat_template=template)
            except Exception as error:  # jinja's own, and Python's from within a template
                cases.append({"template": name, "conversation": conversation, "error": str(error)})
                continue
            # None of the messages before says any of it.
            lost = [part for part in says(last) if part not in whole]
            case = {"template": name, "conversation": conversation, "prompt": prompt}
            if lost:
                cases.append({**case, "lost": lost})
            else:
                cases.append({**case, "response": answer(name, prompt, whole, conversation, last)})
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "golden" / "chat" / "answers.json"
    templates = {name: (HERE / "chat_templates" / f"{name}.jinja").read_text() for name in HEADS}
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    head = json.dumps({"templates": templates, "conversations": CONVERSATIONS}, ensure_ascii=False, indent=1)[:-2]
    file.write_text(f'{head},\n "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
