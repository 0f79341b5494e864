"""A teacher of your own: a PyTorch network that maps tokens (b, l, i) to logits (b, classes).

A convolutional network sees a whole image at once, which the state-space model that learns from
it reads pixel by pixel. Run it on the bundled digits, or at full size:

    python examples/03_teacher_of_your_own.py
    python examples/03_teacher_of_your_own.py scifar --epochs 26 --out runs/teacher.pt2

It learns the train part alone and prints its accuracy on the validation part.
"""

import argparse
import math
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ns4d.data import Dataset, Permutation, load_task
from ns4d.train.augment import Augmentation, dataset_hooks
from ns4d.train.batches import SplitTensors

BATCH = 256


def convolution(inputs: int, outputs: int, pool: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.MaxPool2d(pool),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class Teacher(nn.Module):
    """Seven 3x3 convolutions; every second one halves the resolution."""

    def __init__(self, inputs: int, classes: int, order: Tensor) -> None:
        super().__init__()
        self.side = math.isqrt(len(order))
        self.register_buffer("place", torch.argsort(order))  # where each pixel is in the sequence
        self.body = nn.Sequential(
            convolution(inputs, 32),
            *(convolution(32, 64, pool=2), convolution(64, 64)),
            *(convolution(64, 128, pool=2), convolution(128, 128)),
            *(convolution(128, 256, pool=2), convolution(256, 256)),
        )
        self.head = nn.Linear(256, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        image = tokens[:, self.place].unflatten(1, (self.side, self.side)).permute(0, 3, 1, 2)
        return self.head(self.body(image).amax((2, 3)))


def accuracy(teacher: nn.Module, part: SplitTensors) -> float:
    with torch.inference_mode():
        right = [
            (teacher(tokens).argmax(1) == labels).sum()
            for tokens, labels, _ in map(part.batch, part.in_order(BATCH))
        ]
    return float(sum(right)) / len(part)


def train(dataset: Dataset, epochs: int, augmentation: Augmentation) -> Teacher:
    device = torch.device("cpu")
    learnt = SplitTensors(dataset.train, dataset.normalization, device)
    held = SplitTensors(dataset.validation, dataset.normalization, device)
    order = torch.from_numpy(Permutation(dataset.permutation).order(dataset.length))
    hooks = dataset_hooks(augmentation, dataset, device)
    teacher = Teacher(dataset.inputs, len(dataset.classes), order)
    teacher = teacher.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        teacher.parameters(), lr=0.2, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    steps = max(len(learnt) // BATCH, 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, epochs * steps, pct_start=0.2)
    began = time.monotonic()
    for epoch in range(1, epochs + 1):
        teacher.train()
        for indices in torch.randperm(len(learnt)).split(BATCH)[:steps]:
            tokens, labels, _ = learnt.batch(indices, hooks)
            with torch.autocast("cpu", torch.bfloat16):
                logits = teacher(tokens)
            loss = functional.cross_entropy(logits.float(), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        right, passed = accuracy(teacher.eval(), held), time.monotonic() - began
        print(f"epoch {epoch}/{epochs}  validation {right:.2%}  {passed:.0f} s", flush=True)
    return teacher.to(memory_format=torch.contiguous_format)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", nargs="?", default="digits")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path("teacher.pt2"))
    given = parser.parse_args()
    torch.manual_seed(0)
    dataset = load_task(given.task)
    colour = dataset.inputs == 3  # digits have no mirror images
    teacher = train(dataset, given.epochs, Augmentation(shift=3 if colour else 1, flip=colour))
    example = torch.zeros(2, dataset.length, dataset.inputs)
    program = torch.export.export(
        teacher, (example,), dynamic_shapes={"tokens": {0: torch.export.Dim.DYNAMIC}}
    )
    given.out.parent.mkdir(parents=True, exist_ok=True)
    torch.export.save(program, given.out)
    print(f"written: {given.out}. Learn from it: ns4d train {given.task} --teacher {given.out}")


if __name__ == "__main__":
    main()
