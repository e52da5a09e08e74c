"""docs/reference is what the docstrings give, and every example in a docstring runs."""

import ast
import doctest
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT, plain_environment

from tools import docstrings, reference

EXAMPLES = [
    path.relative_to(ROOT).with_suffix("")
    for path in sorted((ROOT / "gban_edge").rglob("*.py"))
    if ">>>" in path.read_text()
]


def test_committed_pages_are_what_the_docstrings_give():
    assert reference.stale() == [], "run python tools/reference.py"


def test_the_command_checks():
    command = [sys.executable, ROOT / "tools" / "reference.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, env=plain_environment())
    assert done.returncode == 0, done.stderr


def test_every_change_is_noticed(tmp_path, monkeypatch, capsys):
    for name, text in reference.pages().items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    assert reference.stale() == []
    (tmp_path / "old.md").write_text("")
    (tmp_path / "vad.md").write_text((tmp_path / "vad.md").read_text().replace("quiet", "loud", 1))
    (tmp_path / "hub.md").unlink()
    assert reference.stale() == ["hub.md", "old.md", "vad.md"]
    with pytest.raises(SystemExit):
        reference.main(check=True)
    assert "run python tools/reference.py" in capsys.readouterr().err
    monkeypatch.setattr(reference, "ROOT", tmp_path.parent)
    monkeypatch.setattr(reference, "pages", lambda: {"README.md": "x\n"})
    reference.main(check=False)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def everything():
    """(module, name, place) of all that the pages are about."""
    for page in reference.PAGES.values():
        for module, names, place in page.parts:
            for name in names.split():
                yield module, name, place


@pytest.mark.parametrize(("module", "name", "place"), list(everything()))
def test_a_name_is_where_its_page_says_and_is_documented(module, name, place):
    found = getattr(importlib.import_module(place), name)
    assert found is getattr(importlib.import_module(module), name)
    page = "\n".join(reference.pages().values())
    assert f"## `{place}.{name}`" in page
    if inspect.isclass(found) or inspect.isfunction(found):
        first = inspect.getdoc(found).splitlines()[0]
        assert docstrings.inline(first).rstrip(":") in page.replace(":\n", "\n")


def test_what_packages_export_is_in_the_reference():
    """Of the packages that people import from, all of ``__all__``."""
    shown = {name for _, name, _ in everything()}
    wanted = {"__version__", "Backend", "Output", "VadEvent", "FramedVad", "NAMES", "System"}
    for package in ("gban_edge", "gban_edge.runtime", "gban_edge.serve", "gban_edge.vad",
                    "gban_edge.ops", "gban_edge.models"):  # fmt: skip
        exported = set(importlib.import_module(package).__all__)
        assert exported <= shown | wanted, package


def test_signatures_are_pythons_own():
    """Names, order and defaults of every parameter, from the imported functions."""
    for module, name, _ in everything():
        found = getattr(importlib.import_module(module), name)
        if not inspect.isfunction(found):
            continue
        tree = ast.parse(reference.source(module).read_text())
        (node,) = (n for n in tree.body if getattr(n, "name", "") == name)
        shown = [one for one in reference._parameters(node) if one != "*"]
        wanted = inspect.signature(found).parameters
        assert [re.match(r"\w+", one)[0] for one in shown] == list(wanted), name
        for one, parameter in zip(shown, wanted.values(), strict=True):
            assert (" = " in one) == (parameter.default is not parameter.empty), (name, one)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.as_posix())
def test_examples_in_docstrings_run(path):
    module = importlib.import_module(".".join(path.parts))
    tried = doctest.testmod(module)
    assert tried.attempted, f"{path}: doctest finds none of its examples"
    assert not tried.failed


def test_the_tools_own_examples_run():
    tried = doctest.testmod(docstrings)
    assert tried.attempted >= 2
    assert not tried.failed


DOCSTRING = """A thing, as :class:`gban_edge.Thing` has it::

    thing = Thing()

    thing.do()

More of ``it``.

    w = 1/L sum_j E

>>> 1 + 1
2

Args:
    pcm: mono [samples]:
        of a thing.
    a, b: both.

Returns:
    float32 [N, 52]:
    much.

Raises:
    ValueError, OSError: a fault.
"""


def test_docstrings_become_markdown():
    assert (
        "\n".join(docstrings.markdown(DOCSTRING)).strip().splitlines()
        == """\
A thing, as `gban_edge.Thing` has it:

```python
thing = Thing()

thing.do()
```

More of `it`.

```text
w = 1/L sum_j E
```

```pycon
>>> 1 + 1
2
```

**Args**

- `pcm`: mono [samples]: of a thing.
- `a`, `b`: both.

**Returns**

float32 [N, 52]:
much.

**Raises**

- `ValueError`, `OSError`: a fault.""".splitlines()
    )


def test_no_page_has_marks_of_the_other_kind():
    for path in sorted(Path(reference.FOLDER).glob("*.md")):
        text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
        assert "``" not in text, path.name
        assert not re.search(r":(class|func|meth|mod):", text), path.name
