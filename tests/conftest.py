"""Fixtures: a cache of its own for the test run, and the smallest built-in corpus in it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

torch.set_num_threads(1)  # as training does; small tensors gain nothing from more


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that all tests share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def smoke_corpus(cache: Path) -> Path:
    """The 100-utterance built-in corpus, really synthesised; not to be changed."""
    from train.builtin import builtin_corpus

    return builtin_corpus(cache, 100)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A tiny corpus of noise in IEMOCAP's layout, to be broken as a test likes."""
    from helpers import write_corpus

    return write_corpus(tmp_path / "corpus")


@pytest.fixture(scope="session")
def finished(cache: Path, smoke_corpus: Path, tmp_path_factory: pytest.TempPathFactory):
    """The folder of one short uninterrupted run, and its process; not to be changed."""
    from helpers import SHORT, run_folds

    out = tmp_path_factory.mktemp("runs") / "finished"
    done = run_folds(*SHORT, "--out", out, "--cache", cache)
    assert done.returncode == 0, done.stderr
    return out, done


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
