"""What mypy --strict says of a program that uses the package, as its py.typed lets it."""

import subprocess
import sys

from helpers import ROOT

PROGRAM = """
from pathlib import Path
import io
import numpy as np
import gban_edge
from gban_edge import EmotionRecognizer, words
from gban_edge.stream import Level, SpeechEnded, UtteranceStream
from gban_edge.vad import EnergyGate, SileroVad, Timing

rec = EmotionRecognizer.from_pretrained(Path("model.safetensors"), backend="cpu")
reveal_type(rec("x.wav", "that is"))
rec(np.zeros(9, np.int16), ["a", "b"], 16000)
rec(io.BytesIO(b""), b"text")
rec(Path("x.wav"), None)
with open("x.wav", "rb") as file:
    reveal_type(rec(file).alignment)
pairs = [("a.wav", "x"), ("b.wav", "y")]
reveal_type(rec.recognize_batch(pairs))
reveal_type(rec.recognize_long("a.wav", words.none(), vad=SileroVad(0.6, Timing(hangover=0.4))))
rec.recognize_long("a.wav", ["x", "y"], vad="energy")

def said(pcm: np.ndarray, sample_rate: int) -> str:
    return ""

stream = UtteranceStream(rec, EnergyGate(), said, 48000)
for event in stream.push(np.zeros(9)):
    if isinstance(event, SpeechEnded):
        reveal_type(event.result.probabilities)
    elif isinstance(event, Level):
        reveal_type(event.rms)
"""
MISTAKES = """
rec("x.wav", 7)
rec("x.wav", sample_rate="16k")
gban_edge.EmotionRecogniser
UtteranceStream(rec, words="hello")
UtteranceStream(rec, vad=7)
"""
REVEALED = (
    "gban_edge.runtime.result.Result",
    "tuple[gban_edge.runtime.result.WordAlignment, ...] | None",
    "list[gban_edge.runtime.result.Result]",
    "list[gban_edge.runtime.long.SpokenSegment]",
    "dict[str, float]",
    "float",
)


def test_a_program_is_checked_against_the_package(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM + MISTAKES)
    # With the package's configuration and its cache, which remembers the path of an earlier run.
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--show-error-codes", str(program)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    said = [line.split(": ", 1)[1] for line in done.stdout.splitlines() if "program.py:" in line]
    assert [line for line in said if line.startswith("note: R")] == [
        f'note: Revealed type is "{kind}"' for kind in REVEALED
    ]
    errors = [line.rsplit(" ", 1)[1] for line in said if line.startswith("error")]
    assert errors == ["[arg-type]", "[arg-type]", "[attr-defined]", "[arg-type]", "[arg-type]"]
    assert (ROOT / "gban_edge" / "py.typed").exists()
