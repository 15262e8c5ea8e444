"""Processes that share each step of a training, on a GPU each: `torch.distributed` on one machine.

Every process holds the whole rescorer, and scores every n-th of a step's lists and of dev. Gradients and scores are
summed over the processes, so that all of them make the same update and the same choice: the result is that of one
process, up to rounding. The first one leads: it alone writes and speaks. It starts the others (`started`) and ends with
them; none outlives it.
"""

import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import timedelta
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import torch
from torch import distributed

from lorescore.errors import InputError
from lorescore.scoring.options import default_device
from lorescore.silence import STDOUT, silent

T = TypeVar("T")

PR_SET_PDEATHSIG = 1  # of prctl(2)
TIMEOUT = timedelta(days=7)  # of one process for another, which scores dev or its part of a step meanwhile
GRACE_SECONDS = 20.0  # in which the leader notices by itself that a process has ended: with gloo, not with NCCL


class Workers:
    """The processes, as one of them sees them.

    Args:
        number: Which one it is, from 0, the leader.
        count: How many there are.
    """

    def __init__(self, number: int = 0, count: int = 1) -> None:
        self.number, self.count = number, count

    @property
    def is_leader(self) -> bool:
        """Whether this one writes and speaks."""
        return self.number == 0

    def of(self, items: Sequence[T]) -> Sequence[T]:
        """The part of some items that this one computes."""
        return items[self.number :: self.count]

    def wait(self) -> None:
        """Go on when all have come here."""
        self.sum(torch.zeros(1))

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of every process's values, of the same shape, on the CPU."""
        if self.count == 1:
            return values
        values = values.to(default_device(), copy=True)
        self._together(distributed.all_reduce, values)
        return values.cpu()

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Leave the sum of every process's gradients in the parameters; those that none has stay without."""
        if self.count == 1:
            return
        parameters = list(parameters)
        have = self.sum(torch.tensor([float(one.grad is not None) for one in parameters]))
        for one in (one for one, number in zip(parameters, have.tolist(), strict=True) if number):
            one.grad = torch.zeros_like(one) if one.grad is None else one.grad
            self._together(distributed.all_reduce, one.grad)

    def share(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Give every process the leader's values."""
        for one in parameters if self.count > 1 else ():
            self._together(partial(distributed.broadcast, src=0), one.data)

    @staticmethod
    def _together(operation: Callable[[torch.Tensor], object], tensor: torch.Tensor) -> None:
        dense = tensor.contiguous()  # weights may lie by columns, and their gradients with them
        try:
            operation(dense)
        except RuntimeError as error:  # gloo: another one has closed its connection
            raise EndedError from error
        if dense is not tensor:
            tensor.copy_(dense)


ALONE = Workers()


class EndedError(InputError):
    """One of the processes has ended, and the others cannot go on."""

    def __init__(self) -> None:
        mend = "what it said stands above, if anything; start it again to go on"
        super().__init__("one of the processes that share the training has ended", mend=mend)


@contextmanager
def started(count: int, work: Callable[[Workers], None]) -> Iterator[Workers]:
    """Start the other processes, and lead them until they have finished, or the block is left by an exception.

    Args:
        count: Of all processes; 1: none is started.
        work: What each of the others does, with pieces that pickle; it makes the same calls as the leader.

    Raises:
        InputError: There are fewer GPUs than processes, where there are any; or a process ended before its time.
    """
    if count == 1:
        yield ALONE
        return
    gpus = torch.cuda.device_count() if default_device().type == "cuda" else count
    if count > gpus:
        raise InputError(f"--nj {count}, but there are {gpus} GPUs", mend="give no more than there are")
    threads = torch.get_num_threads()
    spawn = multiprocessing.get_context("spawn")
    with TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        others: list[BaseProcess] = [
            spawn.Process(target=_work, args=(work, number, count, store), daemon=True) for number in range(1, count)
        ]
        for one in others:
            one.start()
        finished = threading.Event()
        threading.Thread(target=_watch, args=(others, finished), daemon=True).start()
        try:
            yield _join(0, count, store)
            for one in others:
                one.join()
        finally:
            finished.set()
            for one in others:
                one.terminate()
            if distributed.is_initialized():
                distributed.destroy_process_group()
            torch.set_num_threads(threads)


def _join(number: int, count: int, store: Path) -> Workers:
    """Become one of the processes."""
    device = default_device()
    if device.type == "cuda":
        torch.cuda.set_device(number)
    else:
        torch.set_num_threads(max(1, torch.get_num_threads() // count))
    backend = "nccl" if device.type == "cuda" else "gloo"
    sys.stdout.flush()
    with silent(STDOUT):  # gloo tells of its connections there
        # A file, as a port could be taken; all processes are on one machine.
        distributed.init_process_group(
            backend, init_method=store.as_uri(), rank=number, world_size=count, timeout=TIMEOUT
        )
    return Workers(number, count)


def _work(work: Callable[[Workers], None], number: int, count: int, store: Path) -> None:
    """What a process does that is not the leader; it says nothing but what goes wrong."""
    with suppress(AttributeError, OSError):  # Linux: it ends when the leader does, whatever ends that
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    leader = multiprocessing.parent_process()
    if leader and leader.pid != os.getppid():  # it has ended in the seconds that it takes to come here
        sys.exit(1)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    try:
        with Path(os.devnull).open("w", encoding="utf-8") as nothing, redirect_stdout(nothing):
            work(_join(number, count, store))
    except (EndedError, KeyboardInterrupt):  # the leader says so
        sys.exit(1)
    except InputError as error:
        print(f"process {number + 1} of {count}: {error}", file=sys.stderr)
        sys.exit(1)


def _watch(others: Sequence[BaseProcess], finished: threading.Event) -> None:
    """End the leader where another process has failed and the leader waits for it for good, as with NCCL."""
    running = {one.sentinel: one for one in others}
    while running:
        for sentinel in wait(list(running)):
            one = running.pop(sentinel)  # type: ignore[arg-type]  # a process's sentinel is a number
            one.join()
            if one.exitcode and not finished.wait(GRACE_SECONDS):
                print(EndedError(), file=sys.stderr, flush=True)
                os._exit(1)
