"""Signals that ask a run to stop: it saves at the next iteration and can be resumed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """Set by a signal, read by the training loop between iterations."""

    def __init__(self) -> None:
        self.signal_name: str | None = None
        self.process = os.getpid()

    def receive(self, number: int, frame: FrameType | None) -> None:
        # Data workers are forked with this handler; they are ended by SIGTERM.
        if os.getpid() != self.process and number == signal.SIGTERM:
            os._exit(128 + number)
        self.signal_name = signal.Signals(number).name

    def everywhere(self) -> bool:
        """Whether any process of the run was asked to stop; all processes get one answer."""
        from mmengine.dist import all_reduce, is_distributed

        asked = self.signal_name is not None
        if not is_distributed():
            return asked
        import torch

        count = torch.tensor(int(asked))
        all_reduce(count, op="sum")
        return bool(count.item())


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn SIGTERM and SIGINT into a request for the duration of the block.

    Outside the main thread, where Python does not deliver signals, the request is never set.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request.receive) for number in STOP_SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
