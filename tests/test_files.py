import json
import os

import pytest

from gban_edge.files import replacing, write_json, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "result.txt"
    write_text(path, "old")

    def half() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["result.txt"]


def test_parents_are_made_and_permissions_are_ordinary(tmp_path):
    path = tmp_path / "a" / "b.txt"
    old = os.umask(0o022)
    try:
        write_text(path, "x")
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o644


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "x.json", {"wa": float("nan")})
    assert not (tmp_path / "x.json").exists()
    write_json(tmp_path / "x.json", {"wa": 0.5})
    assert json.loads((tmp_path / "x.json").read_text()) == {"wa": 0.5}
