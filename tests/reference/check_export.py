"""Shows that transformers renders and answers as this project does: a model folder, or an adapter folder on one.

    python check_export.py --model DIR [--adapter DIR] --expected FILE

FILE is JSON: a list of {"messages": [...], "prompt": [ids], "answer": [ids]}. The template and the settings of
generation are those of the adapter's folder if there is one, else of the model's. Exits with 1 if the ids of a prompt
or of its greedy answer are others.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--expected", type=Path, required=True)
    options = parser.parse_args()
    folder = str(options.adapter or options.model)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(str(options.model), dtype=torch.float32)
    if options.adapter:
        model = PeftModel.from_pretrained(model, folder)
    config = GenerationConfig.from_pretrained(folder)
    for case in json.loads(options.expected.read_text()):
        ids = tokenizer.apply_chat_template(
            case["messages"], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        found = ids["input_ids"][0].tolist()
        if found != case["prompt"]:
            sys.exit(f"the prompt is {found}, not {case['prompt']}")
        output = model.eval().generate(**ids, generation_config=config, max_new_tokens=30, do_sample=False)
        answer = output[0, len(found) :].tolist()
        if answer != case["answer"]:
            sys.exit(f"the answer is {answer}, not {case['answer']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
