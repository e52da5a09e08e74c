"""Where the plugin library is looked for, and which programs are found without importing them."""

import hashlib
import importlib
import os
import subprocess
import sys

import pytest
from fake_board import program, write
from helpers import ROOT

from gban_edge.deploy import plugin_library, software
from gban_edge.deploy.plugin_library import NAME, find
from gban_edge.runtime.engine_file import file_digest


@pytest.fixture
def places(tmp_path):
    """A package and a checkout with nothing in them."""
    package, checkout = tmp_path / "gban_edge", tmp_path / "checkout"
    for folder in (package, checkout / "csrc", checkout / "build/a", checkout / "build/install"):
        folder.mkdir(parents=True)
    return package, checkout


def test_the_order_in_which_it_is_found(places, tmp_path):
    package, checkout = places
    assert find({}, package, checkout) is None
    older, newer = checkout / "build/a" / NAME, checkout / "build/b" / NAME
    write(tmp_path, {f"checkout/build/{folder}/{NAME}": folder for folder in "ab"})
    os.utime(older, (1, 1))
    assert find({}, package, checkout) == newer
    os.utime(newer, (0, 0))
    assert find({}, package, checkout) == older
    installed = checkout / "build/install" / NAME
    installed.write_text("installed")
    os.utime(installed, (0, 0))
    assert find({}, package, checkout) == installed
    (package / NAME).write_text("beside the core")
    assert find({}, package, checkout) == package / NAME
    named = tmp_path / "named.so"
    named.write_text("named")
    assert find({"GBAN_EDGE_TENSORRT": str(named)}, package, checkout) == named


def test_a_wrong_name_is_an_error_even_where_there_is_another(places):
    package, checkout = places
    (package / NAME).write_text("beside the core")
    with pytest.raises(FileNotFoundError, match=r"GBAN_EDGE_TENSORRT must be .* got /no/such"):
        find({"GBAN_EDGE_TENSORRT": "/no/such.so"}, package, checkout)
    with pytest.raises(FileNotFoundError, match="not a file"):
        find({"GBAN_EDGE_TENSORRT": str(package)}, package, checkout)


def test_the_build_folder_beside_an_installed_package_is_not_ours(places):
    package, checkout = places
    (checkout / "build/a" / NAME).write_text("of somebody else")
    (checkout / "csrc").rmdir()
    assert find({}, package, checkout) is None


def test_what_is_said_where_there_is_none():
    said = plugin_library.missing()
    for part in (NAME, "TENSORRT_ROOT", "GBAN_EDGE_TENSORRT", "cmake"):
        assert part in said


def test_the_hash(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(b"a library")
    assert file_digest(path) == hashlib.sha256(b"a library").hexdigest()


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """A folder on the path of modules, which fail if they are imported."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(software, "_TENSORRT", {"gban_trt": ("gban-trt",), "gban_rtx": ()})

    def add(name, line):
        write(tmp_path / "site", {f"{name}/__init__.py": f"{line}\nraise OSError('imported')\n"})
        importlib.invalidate_caches()

    return add


def test_versions_are_read_and_not_imported(modules, tmp_path):
    assert software.tensorrt() is None
    (tmp_path / "site/gban_trt").mkdir(parents=True)
    assert software.tensorrt() is None  # a folder is no module
    modules("gban_rtx", "")
    assert software.tensorrt() == {"module": "gban_rtx", "version": "unknown"}
    modules("gban_trt", '__version__ = "10.3.0"')
    assert software.tensorrt() == {"module": "gban_trt", "version": "10.3.0"}
    about = "Metadata-Version: 2.1\nName: gban-trt\nVersion: 10.16.2.10\n"
    write(tmp_path / "site", {"gban_trt-10.16.2.10.dist-info/METADATA": about})
    assert software.tensorrt() == {"module": "gban_trt", "version": "10.16.2.10"}


def test_programs_of_a_board(tmp_path):
    assert software.facts(tmp_path).keys() <= {"python", "environment", "onnxruntime", "tensorrt"}
    write(
        tmp_path,
        {
            "usr/local/cuda/version.json": '{"cuda": {"name": "CUDA SDK", "version": "12.6.68"}}',
            "usr/local/cuda/bin/nvcc": "",
            "usr/include/aarch64-linux-gnu/NvInfer.h": "",
            "usr/lib/python3.10/dist-packages/tensorrt/__init__.py": "",
        },
    )
    found = software.facts(tmp_path)
    assert found["cuda"] == "12.6.68"
    assert found["nvcc"] == str(tmp_path / "usr/local/cuda/bin/nvcc")
    assert found["headers"] == str(tmp_path / "usr/include/aarch64-linux-gnu")
    assert found["system_tensorrt"] == str(tmp_path / "usr/lib/python3.10/dist-packages/tensorrt")
    on_the_path = program(tmp_path, "nvcc", "")
    assert software.facts(tmp_path)["nvcc"] == str(on_the_path)
    write(tmp_path, {"usr/local/cuda/version.json": "{}"})
    assert "cuda" not in software.facts(tmp_path)


def test_nothing_here_needs_more_than_the_base_package():
    code = (
        "import sys\n"
        "from gban_edge.deploy import rows\n"
        "rows.rows()\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "bad = loaded & {'torch', 'tensorrt', 'tensorrt_rtx', 'onnxruntime', 'onnx', 'rich'}\n"
        "assert not bad, bad\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
