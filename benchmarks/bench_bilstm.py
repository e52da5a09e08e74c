"""The core's BiLSTM beside torch.nn.LSTM (cuDNN), on a GPU, eager and as CUDA graphs.

    python benchmarks/bench_bilstm.py [--quick] [--rounds N] [--json FILE]

Both directions of one BiLSTM over 44 steps of 36 values (7.5 s of speech at the authors' sizes),
H = 128 and 256, one utterance and eight, float16 and float32; TF32 is off. Every form is checked
against float64 before anything is timed; forms take turns, round by round. "x" is how many times as
long as the core's BiLSTM a form takes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import timing
import torch
from bilstm_device import DeviceBiLSTM
from torch import Tensor, nn

from gban_edge.core import native

STEPS, WIDTH = 44, 36
OURS, PEER = "lstm_project + lstm_recur", "nn.LSTM (cuDNN)"
TOLERANCE = {torch.float32: 1e-5, torch.float16: 4e-3}


def main() -> None:
    options = arguments()
    properties = torch.cuda.get_device_properties(0)
    torch.backends.cudnn.allow_tf32 = False
    machine = (
        f"{properties.name}, {properties.multi_processor_count} processors; "
        f"torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}"
    )
    print(machine)
    record: dict[str, Any] = {"machine": machine, "rounds": options.rounds, "cases": []}
    sizes = [(128, 1)] if options.quick else [(h, b) for h in (128, 256) for b in (1, 8)]
    for hidden, batch in sizes:
        for dtype in (torch.float16, torch.float32):
            row = run_case(hidden, batch, dtype, options.rounds)
            record["cases"].append(row)
            show(row)
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="at least 5")
    parser.add_argument("--quick", action="store_true", help="H = 128, one utterance")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    options = parser.parse_args()
    if options.rounds < 5:
        parser.error(f"--rounds must be at least 5, got {options.rounds}")
    if not torch.cuda.is_available():
        parser.error("this needs a GPU that torch can use; this machine has none")
    if not native().cuda_built():
        parser.error("gban_edge was built without CUDA; build it with GBAN_CUDA=1 pip install .")
    return options


@torch.no_grad()
def run_case(hidden: int, batch: int, dtype: torch.dtype, rounds: int) -> dict[str, Any]:
    """Check, then time one size and number type; a plain record."""
    torch.manual_seed(0)
    lstm = nn.LSTM(WIDTH, hidden, batch_first=True, bidirectional=True)
    x = torch.randn(batch, STEPS, WIDTH)
    for weight in lstm.parameters():
        weight.copy_(weight.to(dtype))
    x = x.to(dtype)
    ours = DeviceBiLSTM(native(), [lstm], dtype, "cuda")
    given = x.cuda()
    lengths = torch.full((batch,), STEPS, device="cuda")
    exact = nn.LSTM(WIDTH, hidden, batch_first=True, bidirectional=True).double()
    exact.load_state_dict(lstm.state_dict())
    want = exact(x.double())[0]
    peer = lstm.to("cuda", dtype)
    peer.flatten_parameters()
    forms: dict[str, Callable[[], Any]] = {
        OURS: lambda: ours([given], [lengths])[0][0],
        PEER: lambda: peer(given)[0],
    }
    errors = {name: checked(name, form(), want, dtype) for name, form in forms.items()}
    forms |= {f"{name}, graph": timing.graphed(form) for name, form in list(forms.items())}
    forms["lstm_recur alone, graph"] = timing.graphed(
        lambda: ours([given], [lengths], project=False)
    )
    times = timing.interleaved(forms, rounds, gpu=True)
    return {
        "hidden": hidden, "batch": batch, "steps": STEPS, "error": errors,
        "type": str(dtype).removeprefix("torch."),
        "seconds": {name: timing.spread(seconds) for name, seconds in times.items()},
    }  # fmt: skip


def checked(name: str, got: Tensor, want: Tensor, dtype: torch.dtype) -> float:
    error = float((got.cpu().double() - want).abs().max())
    if not error < TOLERANCE[dtype]:
        raise RuntimeError(f"{name} is wrong: error {error:.1e}")
    return error


def show(row: dict[str, Any]) -> None:
    print(f"\nH={row['hidden']}, B={row['batch']}, T={row['steps']}, {row['type']}"
          f"   (error {row['error'][OURS]:.0e}, cuDNN's {row['error'][PEER]:.0e})")  # fmt: skip
    for name, spread in row["seconds"].items():
        mine = row["seconds"][OURS + (", graph" if name.endswith("graph") else "")]["median"]
        middle, low, high = (spread[k] * 1e6 for k in ("median", "min", "max"))
        figures = f"{middle:.1f} us ({low:.1f}-{high:.1f}), {middle / row['steps']:.2f} us a step"
        print(f"{name:34} {figures:>46} {spread['median'] / mine:6.2f}x")


if __name__ == "__main__":
    main()
