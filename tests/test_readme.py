"""README tells the truth, as far as a machine can see."""

import re
import subprocess

import pytest
from helpers import ROOT

from gban_edge import info

TEXT = (ROOT / "README.md").read_text()


def test_files_it_names_are_there():
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT):
        assert (ROOT / link).exists(), link
    layout = re.search(r"## Code layout\s+```\n(.*?)```", TEXT, re.DOTALL).group(1)
    for line in layout.splitlines():
        room = re.match(r"(\w[\w./]*)", line)
        if room:
            assert (ROOT / room.group(1)).exists(), line
    for module in (ROOT / "gban_edge").glob("[a-z]*.py"):
        assert module.name in layout, f"{module.name} is missing from the code layout"


def test_make_targets_it_names_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?m)(?:`|^)make ([a-z][a-z-]*)", TEXT)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_options_it_names_exist():
    options = set(re.findall(r"(--[a-z][a-z0-9-]+)", TEXT)) - {"--index-url"}
    programs = "run_folds", "report", "word_errors", "calibration"
    files = [ROOT / "train" / f"{name}.py" for name in programs]
    files += [ROOT / "gban_edge" / "commands.py", *(ROOT / "gban_edge/deploy").glob("*_cli.py")]
    source = "".join(file.read_text() for file in files)
    of_ray = {"--block", "--head", "--port", "--address", "--include-dashboard"}
    of_cmake = {"--build", "--install", "--prefix"}
    for option in options - of_ray - of_cmake - {"--help"}:
        name = option.removeprefix("--").replace("-", "_")
        assert re.search(rf"^    {name}: Annotated", source, re.MULTILINE), option


def test_the_result_table_has_the_form_that_the_program_prints():
    table = re.search(r"\| model \|.*?\n\n", TEXT, re.DOTALL).group(0).strip().splitlines()
    assert [row.split("|")[1].strip() for row in table[2:]] == ["gban", "h_s", "h_t"]
    for row in table[2:]:
        *folds, mean = (float(cell) for cell in row.split("|")[2:-1])
        assert len(folds) == 5
        assert mean == pytest.approx(sum(folds) / 5, abs=1e-4)


def test_what_it_says_of_the_gpu_is_what_info_says():
    never = "not yet run on a GPU for these sources" in TEXT
    assert never == info.last_run(info.kernel_sources()).startswith(info.NOT_YET)


def test_the_python_in_it_runs():
    blocks = [b for b in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "RUN/" not in b]
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


def test_no_registry_host_is_named():
    """An address of a package index is the reader's machine's business."""
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    hosts = ["pypi." + "org", "python" + "hosted", "download." + "pytorch", "conda." + "anaconda"]
    for name in files:
        text = (ROOT / name).read_text(errors="ignore")
        assert not [h for h in hosts if h in text], name
