"""Settings that make every run write the same bytes."""

import warnings

import torch
import transformers


def make_deterministic() -> None:
    """One thread, deterministic kernels, no progress bars."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    # transformers' own use of a name that it deprecates.
    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
