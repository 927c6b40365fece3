"""MMEngine runner that resumes from our checkpoints and keeps the terminal quiet."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.model import (
    MMDistributedDataParallel,
    convert_sync_batchnorm,
    is_model_wrapper,
)
from mmengine.runner import Runner
from torch import nn

from workbench.engine.checkpoint import apply_weights


class WorkbenchRunner(Runner):
    """Runner whose resumable state is a plain mapping (see `workbench.engine.checkpoint`).

    Attributes:
        resume_state: Set before ``train()`` to continue from a checkpoint's content.
        say: Receives lines for the user.
    """

    resume_state: dict[str, Any] | None = None
    say: Callable[[str], None] = print
    _has_loaded: bool

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Log everything to the work folder's file and only errors to the terminal."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.setLevel(logging.ERROR)
        return logger

    def wrap_model(self, model_wrapper_cfg: Any, model: nn.Module) -> nn.Module:
        """Move the model to its device; wrap it if the run is distributed.

        MMEngine's own way replaces synchronised batch norms in a single process, for which it
        looks for mmcv's compiled ops and fails where they are stood in for; in several it gives
        device ids, which DistributedDataParallel refuses on CPU.
        """
        if not self.distributed:
            return model.to(get_device())
        if self.cfg.get("sync_bn"):
            model = convert_sync_batchnorm(model, self.cfg.sync_bn)
        device = get_device()
        return MMDistributedDataParallel(
            module=model.to(device),
            device_ids=None if device == "cpu" else [torch.cuda.current_device()],
            # A batch may have a loss in one process and not in another.
            find_unused_parameters=self.cfg.get("find_unused_parameters", True),
        )

    @property
    def bare_model(self) -> nn.Module:
        """The model without a wrapper for distributed training."""
        return self.model.module if is_model_wrapper(self.model) else self.model

    def load_or_resume(self) -> None:
        """Continue from ``resume_state``, else start from the config's ``load_from``."""
        if self._has_loaded:
            return
        self._has_loaded = True
        if self.resume_state is not None:
            self._restore(self.resume_state)
        elif self._load_from is not None:
            self._start_from(Path(self._load_from))

    def _start_from(self, path: Path) -> None:
        """Load weights, but for the parts that the config's ``start_fresh`` names."""
        fresh = self.cfg.get("start_fresh") or ()
        apply_weights(self.bare_model, path, fresh)
        if fresh:
            self.say(f"started from {path}, but initialised anew: {', '.join(fresh)}")

    def state(self, iteration: int) -> dict[str, Any]:
        """Return what resuming after ``iteration`` iterations needs; random state is not."""
        content = {
            "meta": {"iteration": iteration, "seed": self.seed},
            "state_dict": self.bare_model.state_dict(),
            "optimizer": self.optim_wrapper.state_dict(),
            "param_schedulers": _map_schedulers(self.param_schedulers, lambda s: s.state_dict()),
        }
        self.call_hook("before_save_checkpoint", checkpoint=content)
        return content

    def _restore(self, content: dict[str, Any]) -> None:
        self.call_hook("after_load_checkpoint", checkpoint=content)
        self.train_loop._iter = content["meta"]["iteration"]
        self.bare_model.load_state_dict(content["state_dict"])
        self.optim_wrapper.load_state_dict(content["optimizer"])
        saved = content["param_schedulers"]
        if isinstance(self.param_schedulers, dict):
            for name, schedulers in self.param_schedulers.items():
                _load_schedulers(schedulers, saved[name])
        else:
            _load_schedulers(self.param_schedulers or [], saved)


def _map_schedulers(schedulers: Any, function: Any) -> Any:
    if isinstance(schedulers, dict):
        return {name: [function(one) for one in group] for name, group in schedulers.items()}
    return [function(one) for one in schedulers or []]


def _load_schedulers(schedulers: list[Any], states: list[dict[str, Any]]) -> None:
    for scheduler, state in zip(schedulers, states, strict=True):
        scheduler.load_state_dict(state)
