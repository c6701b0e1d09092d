"""TRL's trainers of preferences, with what they compute on the way."""

import os

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TRL_EXPERIMENTAL_SILENCE": "1"}

from tempfile import TemporaryDirectory  # noqa: E402

import torch  # noqa: E402
from datasets import Dataset, disable_progress_bars  # noqa: E402
from peft import LoraConfig, set_peft_model_state_dict  # noqa: E402
from peft.tuners.tuners_utils import BaseTunerLayer  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402
from transformers import PreTrainedTokenizerFast  # noqa: E402
from transformers.trainer_callback import PrinterCallback  # noqa: E402
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer  # noqa: E402
from trl.experimental.cpo import CPOConfig, CPOTrainer  # noqa: E402
from trl.experimental.orpo import ORPOConfig, ORPOTrainer  # noqa: E402

from training import BATCH, CLIP, EPOCHS  # noqa: E402

disable_progress_bars()
TRAINERS = {
    "DPOTrainer": (DPOTrainer, DPOConfig),
    "KTOTrainer": (KTOTrainer, KTOConfig),
    "ORPOTrainer": (ORPOTrainer, ORPOConfig),
    "CPOTrainer": (CPOTrainer, CPOConfig),
}
PAD, EOS = 0, 2
KEPT = ("rewards/", "logps/", "kl", "nll_loss", "log_odds")
RATES = {"lora": 1e-2, "full": 1e-3}


def tokenizer(vocabulary: int) -> PreTrainedTokenizerFast:
    """A tokenizer whose tokens are `<0>`, `<1>`, …, each its own id, with an end token and none that begins."""
    tokens = {f"<{i}>": i for i in range(vocabulary)}
    inner = Tokenizer(models.WordLevel(tokens, unk_token=f"<{PAD}>"))
    inner.pre_tokenizer = pre_tokenizers.Split("<", "merged_with_next")
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token=f"<{PAD}>", eos_token=f"<{EOS}>")


def text(ids: list) -> str:
    return "".join(f"<{i}>" for i in ids)


class Recorder:
    """Keeps the losses, the log-probabilities and gradients of the first step, and all that is logged."""

    def start(self, adapter: dict | None) -> None:
        self.losses, self.calls, self.forwards, self.first_grads, self.logs = [], [], [], {}, []
        if adapter is not None:
            found = set_peft_model_state_dict(self.model, adapter)
            assert not found.unexpected_keys
        self.model.register_forward_hook(self.heard, with_kwargs=True)
        if getattr(self, "ref_model", None) is not None:
            self.ref_model.register_forward_hook(self.heard, with_kwargs=True)

    def heard(self, model, args, kwargs, output) -> None:
        adapters = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
        reference = model is not self.model or any(module.disable_adapters for module in adapters)
        ids = kwargs["input_ids"] if "input_ids" in kwargs else args[0]
        rows = [row[: int(mask.sum())].tolist() for row, mask in zip(ids, kwargs["attention_mask"])]
        logps = getattr(output, "log_probs", None)
        self.calls.append({
            "reference": reference, "rows": rows, "logps": None if logps is None else logps.detach().sum(1),
        })

    def concatenated_forward(self, *args):
        found = super().concatenated_forward(*args)
        self.forwards.append([part.detach() for part in (*found[:2], found[4])])
        return found

    def create_optimizer(self, *_):
        tensors = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(
            tensors, lr=self.args.learning_rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01
        )
        return self.optimizer

    def compute_loss(self, *args, **kwargs):
        loss = super().compute_loss(*args, **kwargs)
        self.losses.append(loss.item())
        return loss

    def training_step(self, *args, **kwargs):
        found = super().training_step(*args, **kwargs)
        if len(self.losses) == self.args.gradient_accumulation_steps:
            self.first_grads = {
                name.replace(".default.", "."): parameter.grad.clone()
                for name, parameter in self.model.named_parameters() if parameter.requires_grad
            }
        return found

    def log(self, logs, *args, **kwargs):
        super().log(logs, *args, **kwargs)
        if "grad_norm" in logs:
            self.logs.append(logs)

    def step_losses(self) -> list:
        """The loss of each step: the mean of its micro-batches', which the trainer divides by their number."""
        steps = torch.tensor(self.losses).view(-1, self.args.gradient_accumulation_steps)
        return steps.mean(1).tolist()

    def logged(self, step: int) -> dict:
        return {key: value for key, value in self.logs[step].items() if key.startswith(KEPT)}


def train(name: str, settings: dict, rows: list, load, adapter: tuple | None, micro: int):
    """The trainer, after training on the rows in order, `micro` rows of a step at a time.

    `load` gives the model. With an adapter, the reference is the model without it; else all parameters are trained, and
    the reference is a copy of the model.
    """
    base, options = TRAINERS[name]
    recording = type(f"Recorded{name}", (Recorder, base), {})
    model = load()
    texts = [{key: value if isinstance(value, bool) else text(value) for key, value in row.items()} for row in rows]
    given = {}
    if adapter is not None:
        # Of a model that has its adapter already, the reference would be a copy of the adapter.
        given["peft_config"] = adapter[0]
    elif name in ("DPOTrainer", "KTOTrainer"):
        given["ref_model"] = load()
    if name in ("DPOTrainer", "KTOTrainer"):
        settings = settings | {"pad_to_multiple_of": None}
    with TemporaryDirectory() as folder:
        trainer = recording(
            model=model,
            args=options(
                output_dir=folder, per_device_train_batch_size=micro, gradient_accumulation_steps=BATCH // micro,
                num_train_epochs=EPOCHS, max_grad_norm=CLIP, lr_scheduler_type="constant",
                learning_rate=RATES["full" if adapter is None else "lora"], train_sampling_strategy="sequential",
                use_cpu=True, bf16=False, gradient_checkpointing=False, logging_steps=1, report_to="none",
                save_strategy="no", disable_tqdm=True, **settings,
            ),
            train_dataset=Dataset.from_list(texts), processing_class=tokenizer(model.config.vocab_size), **given,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.start(adapter and adapter[1])
        trainer.train()
    return trainer


def load_adapter(folder) -> tuple:
    """The settings of a saved adapter, and its tensors."""
    lora = LoraConfig.from_pretrained(folder)
    lora.inference_mode = False
    return lora, load_file(folder / "adapter_model.safetensors")
