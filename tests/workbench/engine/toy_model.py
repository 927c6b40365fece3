"""A model and a data set of a few numbers, copied into the projects that tests make."""

import json
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS

from workbench.engine.draws import DrawDataset


@DATASETS.register_module()
class ToyDataset(DrawDataset):
    """Numbers of an annotation file, with random noise of each of the three generators."""

    def __init__(self, manifest: str) -> None:
        listed = json.loads(Path(manifest).read_text())
        name = listed["splits"]["train"]["annotations"]
        self.values = json.loads((Path(manifest).parent / name).read_text())

    def __len__(self) -> int:
        return len(self.values)

    def load(self, index: int) -> dict:
        noise = random.random() + np.random.rand() + float(torch.rand(()))
        return {"inputs": torch.tensor([self.values[index], noise]), "index": index}


@MODELS.register_module()
class ToyModel(BaseModel):
    """Three layers with dropout; KILL_AT and TERM_AT make it end its process at an iteration.

    Args:
        width: Of the hidden layer.
        sleep_s: Length of an iteration.
        exact: Whether a batch gives the mean of its samples' gradients: no batch norm, no chance.
    """

    def __init__(self, width: int = 8, sleep_s: float = 0.0, exact: bool = False) -> None:
        super().__init__()
        self.exact = exact
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(2, width),
            torch.nn.Identity() if exact else torch.nn.BatchNorm1d(width),
            torch.nn.Dropout(0.0 if exact else 0.2),
            torch.nn.Linear(width, 1),
        )
        self.sleep_s, self.calls = sleep_s, 0

    def forward(self, inputs: list, index: list, mode: str = "tensor") -> object:
        out = self.layers(torch.stack(inputs))
        if mode != "loss":
            return [float(value) for value in out]
        self.calls += 1
        time.sleep(self.sleep_s)
        for name, number in (("KILL_AT", signal.SIGKILL), ("TERM_AT", signal.SIGTERM)):
            chosen = os.environ.get("RANK", "0") == os.environ.get("END_RANK", "0")
            if chosen and self.calls == int(os.environ.get(name, "0")):
                os.kill(os.getpid(), number)
        if self.calls == int(os.environ.get("FAIL_AT", "0")) and chosen:
            raise ArithmeticError("the toy broke\nfor good")
        with open(f"seen{os.environ.get('RANK', '')}.jsonl", "a") as stream:
            stream.write(json.dumps([inputs[0].tolist(), list(index)]) + "\n")
        target = torch.ones_like(out) if self.exact else torch.rand_like(out)
        return {"loss_toy": (out - target).square().mean()}


@METRICS.register_module()
class ToyMetric(BaseMetric):
    """Constant score; KILL_IN_VALIDATION ends the process in the validation of that number."""

    calls = 0

    def process(self, data_batch: dict, data_samples: list) -> None:
        self.results.append(len(data_samples))

    def compute_metrics(self, results: list) -> dict:
        ToyMetric.calls += 1
        if ToyMetric.calls == int(os.environ.get("KILL_IN_VALIDATION", "0")):
            os.kill(os.getpid(), signal.SIGKILL)
        return {"APe": 0.25}
