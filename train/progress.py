"""What a person sees while a run goes on: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from train.tasks import Task


class Reporter:
    """Shows progress on standard error, and says results on standard output."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.bars = self.console.is_terminal

    @contextmanager
    def counting(self, what: str, total: int) -> Iterator[Callable[[], None]]:
        """A bar over ``total`` steps; the body gets the function that takes one."""
        if not self.bars:
            yield lambda: None
            self.say(f"{what}: {total}")
            return
        with self._progress() as progress:
            bar = progress.add_task(what, total=total)
            yield lambda: progress.advance(bar)

    @contextmanager
    def training(self, tasks: int, done: int, epochs: int) -> Iterator[TrainingView]:
        """Bars of a grid: one over all tasks, one over the epochs of each that is running."""
        with self._progress() if self.bars else _nothing() as progress:
            yield TrainingView(self, progress, tasks, done, epochs)

    def say(self, text: str) -> None:
        """A line for people, on standard error so that the tables alone are on standard output."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _progress(self) -> Progress:
        return Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TimeElapsedColumn(), console=self.console, transient=True,
        )  # fmt: skip


class TrainingView:
    """The progress of a grid of tasks."""

    def __init__(
        self, reporter: Reporter, progress: Progress | None, tasks: int, done: int, epochs: int
    ) -> None:
        self._reporter, self._progress, self._epochs = reporter, progress, epochs
        self._tasks, self._done = tasks, done
        self._bars: dict[Task, Any] = {}
        if progress:
            self._all = progress.add_task("folds", total=tasks, completed=done)

    def epoch(self, task: Task, row: dict[str, Any]) -> None:
        """One epoch of a task is over."""
        if self._progress is None:
            return
        if task not in self._bars:
            self._bars[task] = self._progress.add_task("", total=self._epochs)
        text = f"  {task.model} fold {task.fold} seed {task.seed}, WA {row['validation_wa']:.2f}"
        self._progress.update(self._bars[task], completed=row["epoch"], description=text)

    def finished(self, task: Task, result: dict[str, Any], seconds: float) -> None:
        """A task is over: its bar goes, a line with its test result stays."""
        self._done += 1
        if self._progress:
            if task in self._bars:
                self._progress.remove_task(self._bars.pop(task))
            self._progress.update(self._all, completed=self._done)
        self._reporter.say(
            f"[{self._done}/{self._tasks}] {task.model} fold {task.fold} seed {task.seed}: "
            f"WA {result['wa']:.4f} UA {result['ua']:.4f} "
            f"({len(result['history'])} epochs, best {result['best_epoch']}, {seconds:.0f} s)"
        )


@contextmanager
def _nothing() -> Iterator[None]:
    yield None
