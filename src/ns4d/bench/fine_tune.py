"""Fine-tune a finished run with the integers of a profile, as `ns4d quantize --qaft` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ns4d.bench.runs import LoadedRun
from ns4d.program import Program
from ns4d.quantize.qaft import quantization_aware_fine_tune
from ns4d.quantize.qaft_recipe import QaftRecipe


def fine_tune_run(
    folder: Path, loaded: LoadedRun, recipe: QaftRecipe, device: torch.device
) -> tuple[Program, dict[str, Any]]:
    """Fine-tune in a folder, or go on with what stopped there.

    Args:
        folder: Where the fine-tuning is written.
        loaded: The run that it starts from.
        recipe: What to do.
        device: Where to compute.

    Returns:
        The selected program, and its figures: all accuracies are those on the validation part.
    """
    result = quantization_aware_fine_tune(
        loaded.network, loaded.dataset, recipe, folder, device=device
    )
    return result.program, {
        "fine-tuning": str(folder),
        "steps": result.progress.step,
        "seconds": result.progress.seconds,
        "float_accuracy": result.float_accuracy,
        "ptq_accuracy": result.start_accuracy,
        "qaft_accuracy": result.accuracy,
    }
