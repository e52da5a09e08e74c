"""Running the tasks of a grid on Ray: this machine's cores or GPUs, or the nodes of a cluster.

Features and word vectors are put into Ray's object store once; no node needs the run folder, the
corpus or a shared file system. A task is a pure function of what it is given (train/tasks.py), so
one whose worker or node is lost is done again elsewhere from its beginning, with an equal result.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import pickle
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import torch

from gban_edge.files import write_bytes
from train import remote
from train.processes import cores, heeding_interrupts
from train.runfolder import locked
from train.tasks import Shared, Task, load_inputs, result_of

OnEpoch = Callable[[Task, dict[str, Any]], None]
LOCAL = "local"
RETRIES = 20  # of one task whose worker or node was lost; a task that kills its worker has an end
ANSWER_WITHIN = 10.0  # seconds; a cluster that lives answers in a tenth of one
PROBE = """
import logging, sys, ray
print("imported", flush=True)
try:
    ray.init(sys.argv[1], log_to_driver=False, logging_level=logging.ERROR)
    offered = ray.cluster_resources().get(sys.argv[2], 0)
    sys.exit(0 if offered >= 1 else f"no node of it offers a {sys.argv[2]}")
except Exception as error:
    sys.exit(" ".join(str(error).split()))
"""


def check(address: str, device: str) -> None:
    """Refuse an address that :func:`run_on_ray` could not use, before anything is made.

    Args:
        address: "local"; HOST:PORT of a cluster's head; "auto" for the cluster of this machine.
        device: "cpu" or "cuda", what the tasks will ask for.

    Raises:
        RuntimeError: Ray is not installed; no cluster answers there, or it cannot be used.
        ValueError: the address is none.
    """
    if importlib.util.find_spec("ray") is None:
        raise RuntimeError('--ray needs Ray: pip install "gban-edge[cluster]"')
    if address == LOCAL:
        return
    if address != "auto":
        _check_listens(address)
    _probe(address, "GPU" if device == "cuda" else "CPU")


def run_on_ray(
    shared: Shared, tasks: list[Task], address: str, on_epoch: OnEpoch
) -> Iterator[tuple[Task, dict[str, Any]]]:
    """Yield every task with its result, as they finish; the files are written on this machine.

    Each task has one core (or one GPU) and runs on one thread, as in :func:`train.grid.run_grid`:
    its result does not depend on where it was made.

    Raises:
        RuntimeError: Ray does not start or was lost; a node has other versions than this machine.
    """
    if not tasks:
        return
    with _connected(address, shared.device) as ray:
        mailbox = _mailbox(ray)
        running = _submit(ray, shared, tasks, mailbox)
        try:
            for task, reference in _finished(ray, tasks, running, mailbox, on_epoch):
                yield task, _store(shared, task, _fetch(ray, reference))
        except ray.exceptions.RayError as error:
            running.clear()  # Ray ends this process if asked to cancel what it has lost
            raise RuntimeError(
                f"Ray gave up ({' '.join(str(error).split())}); finished work is kept: run the "
                "same command with --resume"
            ) from None
        finally:
            _cancel(ray, list(running))


def _submit(ray: Any, shared: Shared, tasks: list[Task], mailbox: Any) -> dict[Any, Task]:
    """Hand all tasks to Ray; returns what refers to their files to come."""
    inputs = load_inputs(shared)
    grid = ray.put((pickle.dumps(shared), dict(inputs.frames), inputs.vectors))
    gpus = 1 if shared.device == "cuda" else 0
    work = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=RETRIES)(remote.work)
    driver = remote.versions()
    return {
        work.remote(driver, grid, pickle.dumps(task), number, mailbox): task
        for number, task in enumerate(tasks)
    }


def _finished(
    ray: Any, tasks: list[Task], running: dict[Any, Task], mailbox: Any, on_epoch: OnEpoch
) -> Iterator[tuple[Task, Any]]:
    """Take tasks out of ``running`` as they finish, and pass on what the mailbox has meanwhile."""
    begun: set[Task] = set()
    with heeding_interrupts() as check_interrupt:
        while running:
            finished, _ = ray.wait(list(running), timeout=0.5)
            check_interrupt()
            for number, row in _news(ray, mailbox):
                _tell(tasks[number], row, begun, on_epoch)
            for reference in finished:
                yield running.pop(reference), reference


def _tell(task: Task, row: dict[str, Any], begun: set[Task], on_epoch: OnEpoch) -> None:
    """Pass an epoch on; a task that begins once more is said, since Ray is quiet about it."""
    if "epoch" in row:
        on_epoch(task, row)
    elif task in begun:
        lost = f"{task.name}: its worker was lost; begun again on node {row['node']}"
        print(lost, file=sys.stderr)
    begun.add(task)


def _cancel(ray: Any, running: list[Any]) -> None:
    """Let what is running end by itself, so that it removes its folder; Ray kills what does not."""
    with suppress(ray.exceptions.RayError):
        for reference in running:
            ray.cancel(reference)
        if running:
            ray.wait(running, num_returns=len(running), timeout=3.0)


def _fetch(ray: Any, reference: Any) -> dict[str, bytes]:
    """The files of a task; what the task itself raised is raised here, as without Ray."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None


def _store(shared: Shared, task: Task, files: dict[str, bytes]) -> dict[str, Any]:
    """Write the files of a task, the result last, and what a sitting without Ray left goes."""
    folder = shared.run / "tasks" / task.name
    with locked(folder / "lock", f"task {task.name}", wait=30.0):
        for name in sorted(files, key=lambda name: name == "result.json"):
            write_bytes(folder / name, files[name])
        (folder / "checkpoint.pt").unlink(missing_ok=True)
        return result_of(shared, task)


def _mailbox(ray: Any) -> Any:
    """The actor that takes the epochs' rows, on this node, where it lives as long as the driver."""
    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=False
    )
    return ray.remote(num_cpus=0, scheduling_strategy=here)(remote.Mailbox).remote()


def _news(ray: Any, mailbox: Any) -> list[tuple[int, dict[str, Any]]]:
    try:
        return ray.get(mailbox.take.remote(), timeout=2.0)
    except ray.exceptions.RayError:  # bars stand still; the results come another way
        return []


@contextmanager
def _connected(address: str, device: str) -> Iterator[Any]:
    """Ray, started here or connected to; whatever ends the body, nothing of it is left running."""
    folder = Path(tempfile.mkdtemp(prefix="gban-ray-", dir="/tmp"))  # sockets need a short path
    options = _options(address, device, folder)
    import ray  # optional, and the options are in part in the environment

    before = signal.getsignal(signal.SIGTERM)
    try:
        with redirect_stdout(_WithoutRay(sys.stdout)):
            try:
                ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **options)
            except (RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
                raise RuntimeError(f"Ray ({address}): {error}") from None
            signal.signal(signal.SIGTERM, _end)  # Ray's own handler prints a stack and aborts
            yield ray
    finally:
        ray.shutdown()
        signal.signal(signal.SIGTERM, before)
        shutil.rmtree(folder, ignore_errors=True)


def _options(address: str, device: str, folder: Path) -> dict[str, Any]:
    """What ``ray.init`` is given; ``folder`` is for what it needs on this machine."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing leaves this machine
    code = Path(__file__).resolve().parent
    # A working directory, since py_modules would come after this process's own on a node's path.
    shutil.copytree(code, folder / "code" / "train", ignore=shutil.ignore_patterns("__pycache__"))
    shipped = {"working_dir": str(folder / "code")}
    if address != LOCAL:
        return {"runtime_env": shipped}
    # Ray's ports are open to the network: a token for this run keeps others out.
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    (folder / "tasks").mkdir()
    variables = {"PYTHONPATH": str(code.parent), "TMPDIR": str(folder / "tasks")}
    gpus = torch.cuda.device_count() if device == "cuda" else 0
    return {
        "runtime_env": {**shipped, "env_vars": variables},
        "num_cpus": max(cores(), gpus),
        "num_gpus": gpus,
        "include_dashboard": False,
        "_temp_dir": str(folder / "ray"),
    }


def _end(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


class _WithoutRay:
    """Standard output without what Ray's threads print there: nodes' logs, in colours."""

    def __init__(self, output: Any) -> None:
        self._output = output

    def write(self, text: str) -> int:
        if threading.current_thread() is not threading.main_thread():
            return len(text)
        return self._output.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name)


def _check_listens(address: str) -> None:
    """Raises ValueError for what is no HOST:PORT, RuntimeError where nothing listens there."""
    host, _, port = address.rpartition(":")
    if not host or "/" in address or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"ray must be 'local' or HOST:PORT of a cluster's head, got {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5.0).close()
    except OSError as error:
        raise RuntimeError(f"no Ray cluster at {address}: {error}") from None


def _probe(address: str, resource: str) -> None:
    """Connect once in a process that can be ended: Ray itself would try for many minutes, or abort.

    Raises:
        RuntimeError: says why it cannot be used.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", PROBE, address, resource], text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
    )  # fmt: skip
    with process:
        try:
            process.stdout.readline()  # importing takes as long as the machine is busy
            errors = process.communicate(timeout=ANSWER_WITHIN)[1]
            if process.returncode == 0:
                return
        except subprocess.TimeoutExpired:
            process.kill()
            errors = process.communicate()[1]
    raise RuntimeError(f"no usable Ray cluster at {address}: {_reason(process.returncode, errors)}")


def _reason(code: int, errors: str) -> str:
    """Why the probe failed, from its exit status and what Ray printed."""
    if "InvalidAuthToken" in errors:
        return (
            "it wants a token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or ~/.ray/auth_token to "
            "the cluster's own"
        )
    if code == 1 and errors.strip():
        return errors.strip().splitlines()[-1]
    return (
        f"what listens there did not take this machine in within {ANSWER_WITHIN:.0f} s; it must be "
        "the port of `ray start --head`, and this machine a node of that cluster "
        "(`ray start --address=HOST:PORT`)"
    )
