"""The grid on Ray: equal results, also where a worker or a node is killed; clear errors; no traces.

The cluster is a real one of two nodes, made by `ray start` as the README says. Every process that
a test starts has a session of its own, by which its descendants are found, whoever adopted them.
"""

import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from helpers import ROOT, SHORT, assert_clean_error, plain_environment, results, run_folds

from train import cluster as ray_grid

pytestmark = pytest.mark.alone

RAY = [sys.executable, "-m", "ray.scripts.scripts"]


def start(*command, **environment):
    """Start a process in a session of its own."""
    return subprocess.Popen(
        [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**plain_environment(), **environment}, start_new_session=True,
    )  # fmt: skip


def commands(session):
    """Living processes of a session: their commands by id."""
    listed = subprocess.run(
        ["ps", "-ww", "-s", str(session), "-o", "pid=,stat=,args="], capture_output=True, text=True
    )
    found = [line.split(None, 2) for line in listed.stdout.splitlines()]
    return {int(pid): command for pid, state, command in found if state[0] != "Z"}


def in_session(session, pattern=""):
    """Living processes of a session whose command matches."""
    return [pid for pid, command in commands(session).items() if re.search(pattern, command)]


def kill_session(session):
    """SIGKILL all of it, as if the machine had lost its power."""
    while pids := in_session(session):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def assert_soon(condition, what, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} within {seconds} s"
        time.sleep(0.02)


def run_on(address, out, cache, *arguments, **environment):
    """The job on Ray, waited for; it must leave no process."""
    process = start(
        sys.executable, ROOT / "train" / "run_folds.py", *SHORT, "--out", out, "--cache", cache,
        "--ray", address, *arguments, **environment,
    )  # fmt: skip
    output, errors = process.communicate(timeout=120)
    assert_soon(lambda: not in_session(process.pid), "no process of the run is left")
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


@dataclass
class Cluster:
    """A head and a second node, of one core each; tasks leave their folders in ``scratch``."""

    folder: Path
    environment: dict[str, str]
    address: str
    nodes: list[subprocess.Popen] = field(default_factory=list)

    def scratch(self, node):
        return self.folder / f"node{node}"

    def add_node(self, *options):
        scratch = self.scratch(len(self.nodes))
        scratch.mkdir()
        node = start(
            *RAY, "start", "--block", "--num-cpus=1", "--object-store-memory=100000000",
            "--disable-usage-stats", *options, **self.environment, TMPDIR=str(scratch),
        )  # fmt: skip
        self.nodes.append(node)
        said = ""
        while "Ray runtime started" not in said:
            line = node.stdout.readline()
            assert line, f"{said}{node.stderr.read()}"
            said += line

    def working(self, node):
        """Processes that are doing a task on a node."""
        return in_session(self.nodes[node].pid, "^ray::work")

    def freeze_mid_fold(self, node):
        """Stop the worker of a node after an epoch of its task, before the end; returns its id."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for worker in self.working(node):
                os.kill(worker, signal.SIGSTOP)
                folders = list(self.scratch(node).glob("gban-task-*"))
                begun = any((folder / "checkpoint.pt").exists() for folder in folders)
                if begun and not any((folder / "result.json").exists() for folder in folders):
                    return worker
                os.kill(worker, signal.SIGCONT)
            time.sleep(0.02)
        raise AssertionError(f"no task was seen running on node {node}")


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one core; the folder is short, since the path of a socket is (107 bytes)."""
    folder = Path(tempfile.mkdtemp(prefix="gbt-", dir="/tmp"))
    with socket.create_server(("", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_health_check_period_ms": "500",  # the head sees the loss of a node within seconds
        "RAY_health_check_failure_threshold": "3",
        "PYTHONPATH": str(ROOT),  # gban_edge of this checkout, whichever is installed
    }
    made = Cluster(folder, environment, f"127.0.0.1:{port}")
    try:
        made.add_node(
            "--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={folder}/ray"
        )
        made.add_node(f"--address={made.address}")
        yield made
    finally:
        for node in made.nodes:
            kill_session(node.pid)
            node.communicate()
        shutil.rmtree(folder)


@pytest.fixture
def joined(cluster, monkeypatch):
    """The cluster, with its token in the environment."""
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, cluster.environment[name])
    return cluster


def test_on_this_machine_it_is_the_run_without_ray(finished, cache, tmp_path):
    """Also where some of it was done without Ray before."""
    out = tmp_path / "run"
    shutil.copytree(finished[0], out)
    shutil.rmtree(out / "tasks" / "h_t-fold1-seed0")
    half = out / "tasks" / "gban-fold2-seed0"
    for name in ("result.json", "model.safetensors", "predictions.csv"):
        (half / name).unlink()
    (half / "checkpoint.pt").write_bytes(b"of a sitting without Ray")
    (out / "results.json").unlink()
    done = run_on("local", out, cache, "--resume")
    assert done.returncode == 0, done.stderr
    assert results(out) == results(finished[0])
    assert done.stdout == finished[1].stdout
    assert "[4/4]" in done.stderr
    assert "ray" not in done.stderr.lower()
    assert {p.name for p in half.iterdir()} == {
        "lock", "model.safetensors", "predictions.csv", "result.json", "timing.json",
    }  # fmt: skip


@pytest.mark.full
def test_killed_and_resumed_without_ray(finished, cache, tmp_path):
    out = tmp_path / "run"
    process = start(
        sys.executable, ROOT / "train" / "run_folds.py", *SHORT, "--out", out, "--cache", cache,
        "--ray", "local", TMPDIR=str(tmp_path),
    )  # fmt: skip
    assert_soon(lambda: list(out.glob("tasks/*/result.json")), "a task is finished", 60)
    assert in_session(process.pid, "^ray::work")
    left = re.search(r"/tmp/gban-ray-\w+", " ".join(commands(process.pid).values())).group()
    process.kill()
    process.communicate()
    # Two idle agents of Ray tell the head, which is gone, for a minute more that it is gone.
    working = "^ray::work|^ray::Mailbox|/raylet |/gcs_server "
    assert_soon(lambda: not in_session(process.pid, working), "Ray ends after a killed run")
    kill_session(process.pid)
    shutil.rmtree(left)
    done = run_folds(*SHORT, "--out", out, "--cache", cache, "--resume")
    assert done.returncode == 0, done.stderr
    assert results(out) == results(finished[0])


@pytest.mark.full
def test_control_c_ends_ray_too(cache, tmp_path):
    process = start(
        sys.executable, ROOT / "train" / "run_folds.py", *SHORT[:-1], "500", "--recipe", "paper",
        "--out", tmp_path / "run", "--cache", cache, "--ray", "local",
    )  # fmt: skip
    assert_soon(lambda: in_session(process.pid, "^ray::work"), "a task runs", 60)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "--resume goes on" in errors
    assert "Traceback" not in errors
    assert_soon(lambda: not in_session(process.pid), "no process of the run is left")


def test_a_killed_worker_and_a_killed_node_change_nothing(finished, cache, joined, tmp_path):
    process = start(
        sys.executable, ROOT / "train" / "run_folds.py", *SHORT, "--out", tmp_path / "run",
        "--cache", cache, "--ray", joined.address,
    )  # fmt: skip
    try:
        on_second = joined.freeze_mid_fold(1)
        on_head = joined.freeze_mid_fold(0)
        os.kill(on_head, signal.SIGKILL)
        assert on_second in in_session(joined.nodes[1].pid)
        kill_session(joined.nodes[1].pid)
        _, errors = process.communicate(timeout=120)
    finally:
        kill_session(process.pid)
    assert process.returncode == 0, errors
    assert "[4/4]" in errors
    assert errors.count("its worker was lost; begun again on node ") == 2
    assert results(tmp_path / "run") == results(finished[0])
    assert_soon(lambda: not joined.working(0), "the head is idle")


@pytest.mark.full
def test_an_error_in_a_task_is_the_one_without_ray(cache, joined, tmp_path):
    done = run_on(joined.address, tmp_path / "run", cache, "--l2", "1e39")
    assert_clean_error(done, "error: training diverged: the loss is")
    assert len(done.stderr.splitlines()[-1]) < 200
    assert_soon(lambda: not joined.working(0), "the head is idle")


@pytest.mark.full
def test_a_node_with_another_gban_edge_is_named(cache, joined, tmp_path):
    for name in ("train", "gban_edge"):
        shutil.copytree(ROOT / name, tmp_path / name)
    with (tmp_path / "gban_edge" / "text.py").open("a") as file:
        file.write("# another version\n")
    process = start(
        sys.executable, tmp_path / "train" / "run_folds.py", *SHORT, "--out", tmp_path / "run",
        "--cache", cache, "--ray", joined.address,
    )  # fmt: skip
    output, errors = process.communicate(timeout=120)
    done = subprocess.CompletedProcess(process.args, process.returncode, output, errors)
    assert_clean_error(done, f"node {socket.gethostname()}", "gban_edge 0.1.0 (sources ", "not 0.1")


def test_a_cluster_that_cannot_be_used(joined, monkeypatch, tmp_path):
    ray_grid.check(joined.address, "cpu")
    with pytest.raises(RuntimeError, match="no node of it offers a GPU"):
        ray_grid.check(joined.address, "cuda")
    (tmp_path / "sitecustomize.py").write_text("import ray\nray.__version__ = '1.2.3'\n")
    with monkeypatch.context() as changed:
        changed.setenv("PYTHONPATH", str(tmp_path))
        with pytest.raises(RuntimeError, match=r"Version mismatch.*Ray: 1\.2\.3"):
            ray_grid.check(joined.address, "cpu")
    monkeypatch.setattr(ray_grid, "ANSWER_WITHIN", 3.0)
    monkeypatch.delenv("RAY_AUTH_MODE")
    with pytest.raises(RuntimeError, match="it wants a token: set RAY_AUTH_MODE=token"):
        ray_grid.check(joined.address, "cpu")
