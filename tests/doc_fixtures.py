"""Fixtures of the tests of the pages: ``pytest_plugins = ["doc_fixtures"]``."""

from __future__ import annotations

from pathlib import Path

import pytest
from doc_place import furnish, train
from installed_package import once


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where :func:`doc_place.train` ran, once in a test run; not to be changed."""
    return once(tmp_path_factory, "documented", train)


@pytest.fixture
def place(trained: Path, tmp_path: Path) -> Path:
    """A folder of its own with what the pages name."""
    return furnish(tmp_path / "place", trained)
