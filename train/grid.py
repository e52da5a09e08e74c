"""Running the tasks of a grid: one after another, or several at a time in worker processes."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import torch

from train.processes import end_with_parent, heeding_interrupts
from train.tasks import Shared, Task, run_task

OnEpoch = Callable[[Task, dict[str, Any]], None]
_messages: Any = None  # a worker's way back to its parent


def run_grid(
    shared: Shared, tasks: list[Task], jobs: int, on_epoch: OnEpoch
) -> Iterator[tuple[Task, dict[str, Any]]]:
    """Yield every task with its result, as they finish.

    Each task runs on one thread, whatever ``jobs`` is, so that its result does not depend on it.

    Raises:
        RuntimeError: a worker process died.
    """
    if jobs == 1 or len(tasks) < 2:
        torch.set_num_threads(1)
        for task in tasks:
            yield task, run_task(shared, task, lambda row, task=task: on_epoch(task, row))
        return
    context = multiprocessing.get_context("spawn")
    messages = context.Queue()
    pool = ProcessPoolExecutor(
        min(jobs, len(tasks)), context, initializer=_start_worker,
        initargs=(messages, os.getpid()),
    )  # fmt: skip
    futures = {}
    try:
        futures = {pool.submit(_work, shared, task): task for task in tasks}
        with heeding_interrupts() as check_interrupt:
            while futures:
                finished, _ = wait(futures, timeout=0.2, return_when=FIRST_COMPLETED)
                check_interrupt()
                _drain(messages, on_epoch)
                for future in finished:
                    yield futures.pop(future), future.result()
    except BrokenProcessPool as error:
        raise RuntimeError(
            "a worker process died (killed, or out of memory?); finished work is kept: run the "
            "same command with --resume, and with a smaller --jobs if memory was short"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        if futures:  # stopped half-way: what is running is not waited for
            for worker in multiprocessing.active_children():
                worker.terminate()


def _work(shared: Shared, task: Task) -> dict[str, Any]:
    return run_task(shared, task, lambda row: _messages.put((task, row)))


def _drain(messages: Any, on_epoch: OnEpoch) -> None:
    while True:
        try:
            on_epoch(*messages.get_nowait())
        except queue.Empty:
            return


def _start_worker(messages: Any, parent: int) -> None:
    global _messages
    _messages = messages
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    torch.set_num_threads(1)
    end_with_parent(parent)
