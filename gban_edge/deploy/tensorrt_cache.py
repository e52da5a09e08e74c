"""Engines kept from one start of a program to the next; see :func:`engine_for`."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gban_edge.deploy.tensorrt_build import Plan, carry_out, prepare
from gban_edge.deploy.tensorrt_timing import VARIABLE, cache_folder
from gban_edge.runtime.engine_buckets import BUCKETS, Bucket
from gban_edge.runtime.engine_file import EngineFile


def engine_for(
    onnx_path: str | os.PathLike[str],
    *,
    buckets: Sequence[Bucket] = BUCKETS,
    dynamic: bool = False,
    module: str = "auto",
    plugin: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
    workspace: int | None = None,
    level: int | None = None,
    log: Callable[[str], None] | None = None,
) -> EngineFile:
    """The engine of an ONNX file for this machine: the one that ``gban-edge build`` left beside the
    file, the one in the cache, or a new one.

    An engine is taken if TensorRT, GPU, plugin library, ONNX file, precision and
    buckets are those of now and its bytes are those that were written; else it is built anew. Two
    processes that want the same one build it once. Engines of other keys are left alone.

    Args:
        cache: the folder; by default $GBAN_EDGE_CACHE, or ~/.cache/gban-edge/engines.

    Others, and errors, as :func:`gban_edge.deploy.tensorrt_build.build`.
    """
    plan = prepare(onnx_path, buckets, dynamic, module, plugin, workspace, level)
    folder = Path(cache) if cache else cache_folder()
    path = folder / _name(plan)
    tell = log or (lambda line: None)
    built = _kept(plan.source.path.with_suffix(".engine"), plan, tell)
    if built is not None:
        return built
    with _alone(path.with_name(path.name + ".lock"), tell):
        kept = _kept(path, plan, tell)
        return kept or carry_out(plan, path, folder, log)


def _name(plan: Plan) -> str:
    """By the ONNX file's name for people, and by all that makes another engine."""
    options = [
        f"-{letter}{value}"
        for letter, value in (("level", plan.level), ("workspace", plan.workspace))
        if value is not None
    ]
    return f"{plan.source.path.stem}-{plan.key.digest()}{''.join(options)}.engine"


def _kept(path: Path, plan: Plan, tell: Callable[[str], None]) -> EngineFile | None:
    """The engine at ``path`` if it is the one wanted; else says why not."""
    try:
        found = EngineFile.read(path)
    except FileNotFoundError:
        return None
    except ValueError as error:
        tell(f"building anew: {error}")
        return None
    stale = found.key.difference(plan.key)
    if stale is not None:
        tell(f"building anew: {path}: {stale}")
        return None
    return found


@contextmanager
def _alone(lock: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold ``lock`` against other processes and threads; waits for who holds it. The lock goes with
    its holder, however that ends; its empty file stays."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = lock.open("ab")
    except OSError as error:
        raise RuntimeError(
            f"the engine cache {lock.parent} cannot be written ({error}); name another folder in "
            f"{VARIABLE}"
        ) from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"waiting for another process that builds {lock.with_suffix('')}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
