"""PyTorch's ``torchrun``, which here ends with the exit code of the process that failed.

Run as ``python -m workbench.torchrun`` with torchrun's arguments. Torchrun itself ends with 1 and a
page about its processes; these say what was wrong themselves.
"""

from __future__ import annotations

import logging
import sys

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError


def main(arguments: list[str]) -> int:
    """Run torchrun; returns the exit code, 128 + n if signal n ended one of the processes."""
    logging.disable(logging.ERROR)
    try:
        run.run(run.parse_args(arguments))  # type: ignore[no-untyped-call]
    except ChildFailedError as error:
        codes = [failure.exitcode for failure in error.failures.values()]
        ended = [128 - code for code in codes if code < 0]
        return ended[0] if ended else error.get_first_failure()[1].exitcode
    except SignalException as error:
        return 128 + error.sigval
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
