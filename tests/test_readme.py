"""README tells the truth, as far as a machine can see; its blocks are run by test_doc_blocks.py."""

import re
import subprocess

import pytest
from helpers import ROOT

from gban_edge import info

TEXT = (ROOT / "README.md").read_text()


def test_the_layout_is_that_of_the_folder():
    layout = re.search(r"## Code layout\s+```text\n(.*?)```", TEXT, re.DOTALL).group(1)
    for line in layout.splitlines():
        room = re.match(r"(\w[\w./]*)", line)
        if room:
            assert (ROOT / room.group(1)).exists(), line
    for module in (ROOT / "gban_edge").glob("[a-z]*.py"):
        assert module.name in layout, f"{module.name} is missing from the code layout"


def test_it_has_three_blocks_that_name_a_run():
    """Which test_run_folds.py runs on a real one."""
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert sum("runs/RUN" in block for block in blocks) == 3


def test_make_targets_it_names_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?m)(?:`|^)make ([a-z][a-z-]*)", TEXT)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_result_table_has_the_form_that_the_program_prints():
    results = (ROOT / "docs" / "results.md").read_text()
    table = re.search(r"\| model \|.*?\n\n", results, re.DOTALL).group(0).strip().splitlines()
    assert [row.split("|")[1].strip() for row in table[2:]] == ["gban", "h_s", "h_t"]
    for row in table[2:]:
        *folds, mean = (float(cell) for cell in row.split("|")[2:-1])
        assert len(folds) == 5
        assert mean == pytest.approx(sum(folds) / 5, abs=1e-4)


def test_what_it_says_of_the_gpu_is_what_info_says():
    never = "not yet run on a GPU for these sources" in TEXT
    assert never == info.last_run(info.kernel_sources()).startswith(info.NOT_YET)


def test_its_figures_are_those_of_the_pages():
    """It repeats some of docs/results.md and docs/performance.md: one run, one number."""
    results, costs = (
        (ROOT / "docs" / f"{name}.md").read_text() for name in ("results", "performance")
    )
    for name in ("gban", "h_s", "h_t"):
        (figure,) = re.findall(rf"^\| {name}\b.*\| (0\.\d{{4}} ± 0\.\d{{4}}) \|", TEXT, re.M)
        assert re.search(rf"^\| {name} .*{figure}", results, re.M), name
    assert re.search(r"no words \| 0(\.4856) .* 0(\.5561) \|", results)
    assert TEXT.count(".4856") == 1
    cost = re.search(r"## What it costs\n(.*?)\n## ", TEXT, re.DOTALL)[1]
    table = " ".join(line for line in costs.splitlines() if "gban-edge" in line or "fp32 |" in line)
    for figures in ((439, 316, 247), (744, 632, 556), (790,)):
        for figure in figures:
            assert re.search(rf"\b{figure}\b", cost), figure
        assert " / ".join(map(str, figures)) in table
    for words in ("3,600", "5.2 MiB", "8.6 MiB"):
        assert words in cost
        assert words in costs


def test_no_registry_host_is_named():
    """An address of a package index is the reader's machine's business."""
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    hosts = ["pypi." + "org", "python" + "hosted", "download." + "pytorch", "conda." + "anaconda"]
    for name in files:
        text = (ROOT / name).read_text(errors="ignore")
        assert not [h for h in hosts if h in text], name
