"""What is said before any cluster is there; test_cluster.py has the rest."""

import socket
import sys

import pytest
from helpers import assert_clean_error, run_folds

from train import cluster as ray_grid
from train import remote
from train import run_folds as job


def test_versions_name_what_differs():
    here = remote.versions()
    remote.check_versions(here)
    with pytest.raises(RuntimeError, match=r"has other software.*torch .*, not 9\.9; install"):
        remote.check_versions({**here, "torch": "9.9"})


def test_an_unreachable_cluster_is_said_before_anything_is_made(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = ("--smoke", "--out", tmp_path / "run", "--cache", tmp_path / "cache")
    done = run_folds(*arguments, "--ray", f"127.0.0.1:{port}")
    assert_clean_error(done, f"error: no Ray cluster at 127.0.0.1:{port}", "refused")
    with pytest.raises(SystemExit, match="2"):
        job.main(ray="local", jobs=2, out=tmp_path / "run", cache=tmp_path / "cache")
    assert "error: ray and jobs exclude each other" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "address", ["localhost", "localhost:ray", ":6379", "127.0.0.1:70000", "ray://localhost:10001"]
)
def test_what_is_no_address(address):
    with pytest.raises(ValueError, match=r"'local' or HOST:PORT .* got '"):
        ray_grid.check(address, "cpu")


def test_a_name_that_nobody_knows():
    with pytest.raises(RuntimeError, match=r"no Ray cluster at no\.such\.host\.invalid:6379"):
        ray_grid.check("no.such.host.invalid:6379", "cpu")


def test_a_listener_that_is_no_ray(monkeypatch):
    monkeypatch.setattr(ray_grid, "ANSWER_WITHIN", 2.0)
    with socket.create_server(("", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(RuntimeError, match="did not take this machine in within 2 s"):
            ray_grid.check(address, "cpu")


def test_ray_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RuntimeError, match=r'pip install "gban-edge\[cluster\]"'):
        ray_grid.check("local", "cpu")
