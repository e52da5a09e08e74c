"""Arrows point one way: what a runtime needs imports without torch, and train is not imported."""

import subprocess
import sys

from helpers import ROOT

BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Block())
"""


def run_without(blocked: tuple[str, ...], code: str) -> None:
    program = BLOCK.format(blocked=blocked) + code
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


EXTRAS = ("torch", "scipy", "matplotlib", "rich", "typer", "soundfile", "librosa", "train")


def test_the_base_package_needs_numpy_and_safetensors_alone():
    run_without(
        EXTRAS,
        "import numpy as np\n"
        "import gban_edge, gban_edge.bundle, gban_edge.text, gban_edge.features, gban_edge.ops\n"
        "assert gban_edge.features.extract(np.zeros(1000)).shape == (4, 52)\n"
        "s = np.ones((1, 3, 8), np.float32)\n"
        "assert gban_edge.ops.align_pool(s, s[:, :2]).speech.shape == (1, 8)\n",
    )


def test_the_networks_need_torch_and_nothing_more():
    run_without(EXTRAS[1:], "import gban_edge.models")


def test_no_torch_header_in_the_core():
    sources = [p for p in (ROOT / "csrc").rglob("*") if p.suffix in (".h", ".cpp")]
    assert sources
    for path in sources:
        text = path.read_text()
        assert "torch/" not in text, path
        assert "ATen" not in text, path
