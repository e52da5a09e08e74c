"""Fixtures: a cache of its own for the test run, and the smallest built-in corpus in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

torch.set_num_threads(1)  # as training does; small tensors gain nothing from more

# The files that take longest, longest first: workers that start with these end together. The first
# compiles what test_install.py and test_robot_example.py need too.
LONGEST = (
    "test_docs_cpp.py", "test_run_folds.py", "test_doc_blocks.py", "test_kernels.py",
    "test_grid.py", "test_serve_spoken.py", "test_docs.py", "test_resume.py", "test_word_errors.py",
    "test_predict_cli.py", "test_demo_cli.py", "test_emulated.py", "test_install.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, the others and the tests of each file in their order."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(LONGEST)))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that all tests share, whichever worker of pytest-xdist runs them."""
    from installed_package import once

    return once(tmp_path_factory, "cache", lambda folder: None)


@pytest.fixture(scope="session")
def smoke_corpus(cache: Path) -> Path:
    """The 100-utterance built-in corpus, really synthesised; not to be changed."""
    from train.builtin import builtin_corpus

    return builtin_corpus(cache, 100)


@pytest.fixture(scope="session")
def small_gban(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model file of a small GBAN with random weights."""
    from helpers import SMALL
    from runtime_models import make_model

    return make_model(tmp_path_factory.mktemp("model") / "gban.safetensors", SMALL).path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A tiny corpus of noise in IEMOCAP's layout, to be broken as a test likes."""
    from helpers import write_corpus

    return write_corpus(tmp_path / "corpus")


@pytest.fixture(scope="session")
def finished(cache: Path, smoke_corpus: Path, tmp_path_factory: pytest.TempPathFactory):
    """The folder of one short uninterrupted run, and its process; not to be changed, since
    every test of every worker sees the same one."""
    from helpers import SHORT, run_folds
    from installed_package import once

    def make(folder: Path) -> None:
        done = run_folds(*SHORT, "--out", folder / "finished", "--cache", cache)
        assert done.returncode == 0, done.stderr
        said = {"stdout": done.stdout, "stderr": done.stderr}
        (folder / "said.json").write_text(json.dumps(said))

    folder = once(tmp_path_factory, "runs", make)
    said = json.loads((folder / "said.json").read_text())
    return folder / "finished", subprocess.CompletedProcess(SHORT, 0, **said)


@pytest.fixture(scope="session")
def parity_case(tmp_path_factory: pytest.TempPathFactory):
    """The network and the 300 utterances of tests/parity.py."""
    from parity import make_case

    return make_case(tmp_path_factory.mktemp("parity") / "gban.safetensors", seed=1)


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the C++ library was installed, built without Python and without CUDA."""
    from installed_package import install, once

    return once(tmp_path_factory, "installed", install) / "prefix"


@pytest.fixture(scope="session")
def examples(prefix: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of examples/cpp's programs, built against the installed library."""
    from installed_package import build_examples, once

    return once(tmp_path_factory, "examples", lambda folder: build_examples(folder, prefix))
