"""Checkpoints: the whole state of a training in one safetensors file, no pickle.

Tensors are named `model.<parameter>` and `optimizer.<parameter>.<moment>`; everything else is
JSON in the header. Random numbers need no state: order, dropout and augmentation are functions
of the seed and the step.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as format_tensors
from torch import Tensor

from ns4d.errors import ArtefactError, ConfigError
from ns4d.model import Network
from ns4d.storage import write_atomically
from ns4d.train.recipe import Recipe
from ns4d.train.settings import from_plain, to_plain

VERSION = 1
LATEST, BEST = "checkpoint.safetensors", "best.safetensors"


@dataclass(frozen=True)
class Progress:
    """Where a training stands; all counts start from zero.

    Args:
        step: Optimizer steps done.
        seconds: Time spent training.
        loss_sum: Sum of the losses of this epoch's sequences.
        correct: Correct decisions among them.
        seen: Number of them.
        best_accuracy: Best accuracy on the validation part so far; -1 before the first.
        best_step: Step at which it was reached.
        data: Digest of the data set; see `Dataset.digest`.
    """

    step: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    correct: int = 0
    seen: int = 0
    best_accuracy: float = -1.0
    best_step: int = 0
    data: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint as read from disk."""

    path: Path
    recipe: Recipe
    progress: Progress
    network: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]

    @property
    def digest(self) -> str:
        """The name of the stored network; see `network_digest`."""
        return _digest({}, self.network)

    def build_network(self) -> Network:
        """The stored network, for evaluation.

        Raises:
            ArtefactError: If the parameters do not fit the recipe.
        """
        network = Network(self.recipe.model)
        self.restore_network(network)
        return network.eval()

    def restore_network(self, network: Network) -> None:
        """Put the stored parameters into a network built from the same recipe.

        Raises:
            ArtefactError: If they are those of another network.
        """
        try:
            network.load_state_dict(dict(self.network))
        except RuntimeError as error:
            raise _unreadable(self.path, "parameters that do not fit its recipe") from error

    def restore(self, network: Network, optimizer: torch.optim.Optimizer) -> None:
        """Put the stored state into a network and an optimizer built from the same recipe.

        Raises:
            ArtefactError: If it is that of another network, or the network alone.
        """
        self.restore_network(network)
        moments = {
            f"{name}.{moment}": shape
            for name, p in network.named_parameters()
            for moment, shape in (("step", ()), ("exp_avg", p.shape), ("exp_avg_sq", p.shape))
        }
        if {name: tensor.shape for name, tensor in self.optimizer.items()} != moments:
            raise _unreadable(self.path, "an optimizer state that does not fit its network")
        state: dict[int, dict[str, Tensor]] = {}
        indices = _parameter_indices(network, optimizer)
        for name, tensor in self.optimizer.items():
            parameter, _, moment = name.rpartition(".")
            state.setdefault(indices[parameter], {})[moment] = tensor
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})


def save_checkpoint(
    path: Path,
    recipe: Recipe,
    progress: Progress,
    network: Network,
    optimizer: torch.optim.Optimizer | None = None,
) -> None:
    """Write the network and, given the optimizer, everything that training needs to go on.

    Raises:
        ArtefactError: If the file cannot be written; an older checkpoint stays intact.
    """
    tensors = {f"model.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {} if optimizer is None else _moments(network, optimizer)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {
        "version": VERSION,
        "recipe": to_plain(recipe),
        "progress": asdict(progress),
    }
    header["sha256"] = _digest(header, tensors)
    write_atomically(path, format_tensors(tensors, {"ns4d-checkpoint": json.dumps(header)}))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read and check a checkpoint.

    Raises:
        ArtefactError: If it is missing, truncated, altered, or not a checkpoint of ours.
    """
    header, tensors = _read(path)
    found = header.pop("sha256", None)
    if header.get("version") != VERSION:
        raise _unreadable(path, f"format version {header.get('version')}")
    if found != _digest(header, tensors):
        raise _unreadable(path, "altered contents (the checksum differs)")
    try:
        recipe = from_plain(Recipe, header.get("recipe"), "recipe")
        progress = from_plain(Progress, header.get("progress"), "progress")
    except ConfigError as error:
        raise _unreadable(path, f"this in its header: {error}") from error
    network, optimizer = _under("model.", tensors), _under("optimizer.", tensors)
    return Checkpoint(path, recipe, progress, network, optimizer)


def load_selected(run: Path) -> Checkpoint:
    """The selected checkpoint of a run: the best on validation, else the latest."""
    path = run if run.is_file() else run / BEST
    return load_checkpoint(path if path.exists() else run / LATEST)


def network_digest(network: Network) -> str:
    """sha256 of all parameters and buffers, by which a program names the network it came from."""
    state = network.state_dict()
    return _digest({}, {name: tensor.detach().cpu() for name, tensor in state.items()})


def load_network(run: Path) -> tuple[Network, Recipe]:
    """The selected network of a run (best on validation, else the latest) and its recipe.

    Args:
        run: Folder of a run, or one of its checkpoint files.

    Raises:
        ArtefactError: If there is no readable checkpoint.
    """
    checkpoint = load_selected(run)
    return checkpoint.build_network(), checkpoint.recipe


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    try:
        size = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + size])["__metadata__"]
        return dict(json.loads(metadata["ns4d-checkpoint"])), parse_tensors(content)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise _unreadable(path, "a truncated, altered or foreign file") from error


def _unreadable(path: Path, got: str) -> ArtefactError:
    return ArtefactError(
        str(path),
        expected=f"an ns4d checkpoint, version {VERSION}",
        got=got,
        fix="Train again with `ns4d train`, or name another run folder.",
    )


def _digest(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _moments(network: Network, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {
        f"optimizer.{name}.{moment}": torch.as_tensor(tensor)
        for name, index in _parameter_indices(network, optimizer).items()
        for moment, tensor in state.get(index, {}).items()
    }


def _parameter_indices(network: Network, optimizer: torch.optim.Optimizer) -> dict[str, int]:
    """The optimizer numbers parameters group by group; names survive a change of grouping."""
    order = [id(p) for group in optimizer.param_groups for p in group["params"]]
    numbers = {identity: index for index, identity in enumerate(order)}
    return {name: numbers[id(p)] for name, p in network.named_parameters()}
