"""A run that is killed, stopped or repeated: resumed with equal results, never overwritten."""

import contextlib
import fcntl
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import (
    ROOT,
    SHORT,
    assert_clean_error,
    plain_environment,
    results,
    run_folds,
    run_folds_here,
)

from train.processes import heeding_interrupts

alone = pytest.mark.alone


def start(*arguments):
    """Start the job in a session of its own, as a shell does."""
    command = [sys.executable, str(ROOT / "train" / "run_folds.py"), *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=plain_environment(), start_new_session=True,
    )  # fmt: skip


def wait_for_training(process, out):
    """Wait until some task of this sitting has done an epoch; returns the seconds it took."""
    started = time.time()
    while process.poll() is None and time.time() < started + 120:
        news = [*out.glob("tasks/*/checkpoint.pt"), *out.glob("tasks/*/result.json")]
        try:
            if any(path.stat().st_mtime > started for path in news):
                return time.time() - started
        except FileNotFoundError:  # a checkpoint that was just removed
            continue
        time.sleep(0.02)
    raise AssertionError(f"no epoch was done: {process.communicate()[1]}")


def kill(process):
    """SIGKILL the job alone; its workers are left to notice for themselves."""
    assert process.poll() is None, "it had ended before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.communicate()


@alone
@pytest.mark.parametrize("times", [1, pytest.param(3, marks=pytest.mark.full)])
def test_killed_at_random_points_and_resumed(cache, smoke_corpus, tmp_path, times):
    """Once while it starts, and so often while it trains."""
    seed = random.randrange(10**6)
    print(f"random points from seed {seed}")
    points = random.Random(seed)
    longer = (*SHORT[:-1], "12", "--cache", cache)
    process = start(*longer, "--out", tmp_path / "whole")
    starting = wait_for_training(process, tmp_path / "whole")
    started = time.time()
    assert process.wait(120) == 0
    training = time.time() - started

    out = tmp_path / "killed"
    process = start(*longer, "--out", out, "--resume")
    time.sleep(points.uniform(0.0, 0.8) * starting)
    kill(process)
    for _ in range(times):
        process = start(*longer, "--out", out, "--resume")
        wait_for_training(process, out)
        time.sleep(points.uniform(0.0, 0.2) * training)
        kill(process)
    done = run_folds(*longer, "--out", out, "--resume")
    assert done.returncode == 0, done.stderr
    assert results(out) == results(tmp_path / "whole")
    assert not list(out.rglob(".*.part"))
    assert not list(out.rglob("checkpoint.pt"))


@alone
def test_control_c_stops_at_once_and_says_how_to_go_on(cache, tmp_path):
    out = tmp_path / "run"
    process = start(*SHORT[:-1], "500", "--recipe", "paper", "--out", out, "--cache", cache)
    wait_for_training(process, out)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal sends: to the workers too
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "--resume goes on" in errors
    assert "Traceback" not in errors


@alone
def test_an_interrupt_that_python_drops_is_heeded_all_the_same():
    before = signal.getsignal(signal.SIGINT)
    with heeding_interrupts() as check:
        check()
        with contextlib.suppress(KeyboardInterrupt):  # as a callback of the collector does
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        with pytest.raises(KeyboardInterrupt):
            check()
    assert signal.getsignal(signal.SIGINT) is before


@alone
def test_workers_end_with_a_killed_run(cache, tmp_path):
    out = tmp_path / "run"
    process = start(*SHORT[:-1], "500", "--recipe", "paper", "--out", out, "--cache", cache)
    wait_for_training(process, out)
    children = [int(p) for p in os.popen(f"pgrep -P {process.pid}").read().split()]
    assert len(children) >= 2
    kill(process)
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline, "a worker outlived its run by 10 s"
        time.sleep(0.1)


@alone
def test_a_dead_worker_is_said(cache, tmp_path):
    out = tmp_path / "run"
    process = start(*SHORT[:-1], "500", "--recipe", "paper", "--out", out, "--cache", cache)
    wait_for_training(process, out)
    children = os.popen(f"pgrep -f -P {process.pid} spawn_main").read().split()
    os.kill(int(children[0]), signal.SIGKILL)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "error: a worker process died" in errors
    assert "--resume" in errors
    assert "Traceback" not in errors


def test_the_checkpoint_of_a_finished_task_is_removed(finished, cache, tmp_path):
    """A kill between the result and the checkpoint's removal leaves both."""
    out = tmp_path / "run"
    shutil.copytree(finished[0], out)
    left = next(out.glob("tasks/*/result.json")).parent / "checkpoint.pt"
    left.write_bytes(b"left by a kill")
    done = run_folds(*SHORT, "--out", out, "--cache", cache, "--resume")
    assert done.returncode == 0, done.stderr
    assert not left.exists()
    assert results(out) == results(finished[0])


def test_a_finished_run_is_resumed_at_once_and_never_overwritten(finished, cache, tmp_path):
    out = shutil.copytree(finished[0], tmp_path / "run")
    before = (out / "results.json").read_bytes()
    assert run_folds(*SHORT, "--out", out, "--cache", cache, "--resume").returncode == 0
    assert (out / "results.json").read_bytes() == before
    assert_clean_error(run_folds_here(*SHORT, "--out", out, "--cache", cache), "--resume", "--out")
    done = run_folds_here(*SHORT, "--out", out, "--cache", cache, "--resume", "--l2", "0.5")
    assert_clean_error(done, "other settings", "'l2': 0.0", "'l2': 0.5")


def test_resume_without_a_name_takes_the_newest_run(finished, cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_clean_error(run_folds_here("--resume", "--cache", cache), "no run to resume")
    done = run_folds_here("--resume", "--out", "mistyped", "--cache", cache, "--iemocap", "none")
    assert "mistyped holds no run to resume: a new one begins" in done.stderr
    shutil.copytree(finished[0], tmp_path / "runs" / "20260101-000000")
    done = run_folds(*SHORT, "--resume", "--cache", cache)
    assert done.returncode == 0, done.stderr
    assert "20260101-000000" in done.stderr


def test_two_runs_in_one_folder_are_refused(cache, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    with (out / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = run_folds_here(*SHORT, "--out", out, "--cache", cache)
    assert_clean_error(done, "another process is working on the run in")
