"""Data sets as sequences of tokens: one file per task, one table of tasks."""

from __future__ import annotations

from ns4d.data.dataset import Dataset, Normalization, Split
from ns4d.data.permutation import Permutation
from ns4d.data.tasks import TASKS, Task, load_task

__all__ = ["TASKS", "Dataset", "Normalization", "Permutation", "Split", "Task", "load_task"]
