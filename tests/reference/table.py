"""A model that is a table, for what generate() does with scores whatever computed them."""

import torch
from transformers import GenerationConfig, GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput


class Table(PreTrainedModel, GenerationMixin):
    """Logits by the last token (`[V, V]`) or by the last two (`[V, V, V]`)."""

    config_class = PreTrainedConfig

    def __init__(self, table: torch.Tensor):
        super().__init__(PreTrainedConfig(vocab_size=table.shape[-1]))
        # transformers asks a model's parameters for its device.
        self.table = torch.nn.Parameter(table, requires_grad=False)
        self.generation_config = GenerationConfig()

    def forward(self, input_ids, attention_mask=None, **_):
        last = input_ids[:, -1]
        rows = self.table[last] if self.table.dim() == 2 else self.table[input_ids[:, -2], last]
        return CausalLMOutput(logits=rows[:, None])

    def answer(self, prompts: list, pad: int, **options):
        """What generate() returns for prompts of any lengths, filled up with `pad` in front."""
        width = max(map(len, prompts))
        ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        config = GenerationConfig(
            pad_token_id=pad, use_cache=False, return_dict_in_generate=True, output_scores=True, **options
        )
        return self.generate(input_ids=ids, attention_mask=mask, generation_config=config)
