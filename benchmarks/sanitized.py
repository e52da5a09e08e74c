"""Every CUDA kernel on small shapes; benchmarks/gpu_check.sh runs it under compute-sanitizer.

python benchmarks/sanitized.py [align_|lstm_|encode|head]     those named so (default all)
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from bilstm_device import DeviceBiLSTM

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gban_edge import ops
from gban_edge.core import native

SHAPES = ((1, 44, 10, 64), (3, 150, 40, 40), (2, 70, 5, 520), (2, 20, 70, 1024))


def main() -> None:
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    if wanted in ("", "align_"):
        alignment()
    if wanted in ("", "lstm_"):
        bilstm()
    if wanted in ("", "encode", "head"):
        engine()
    torch.cuda.synchronize()
    print("every kernel ran")


def alignment() -> None:
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        for batch, steps, words, size in SHAPES:
            speech, text = (
                torch.randn(batch, n, size, dtype=dtype).mul(size**-0.25).cuda().requires_grad_()
                for n in (steps, words)
            )
            k = torch.randint(1, steps + 1, (batch,)).cuda()
            out = ops.align_pool(speech, text, k, None, return_weights=True, return_maps=True)
            (out.speech.sum() + out.text_weights.square().sum()).backward()
            if not bool(speech.grad.cpu().isfinite().all()):
                raise RuntimeError(f"{dtype}, {batch}x{steps}x{words}x{size}: not finite")


# Batch, steps of two sequences, hidden, layers: one column and eight, one layer and several.
BILSTM_SHAPES = (
    (1, (9, 4), 128, 1),
    (1, (6, 3), 256, 2),
    (70, (5, 3), 128, 2),
    (40, (4, 2), 256, 1),
)


def bilstm() -> None:
    for dtype in (torch.float32, torch.float16):
        for batch, steps, hidden, layers in BILSTM_SHAPES:
            lstms = [
                torch.nn.LSTM(width, hidden, layers, batch_first=True, bidirectional=True)
                for width in (36, 384)
            ]
            run = DeviceBiLSTM(native(), lstms, dtype, "cuda")
            inputs = [
                torch.randn(batch, k, m.input_size, dtype=dtype).cuda()
                for k, m in zip(steps, lstms, strict=True)
            ]
            lengths = [torch.randint(1, k + 1, (batch,)).cuda() for k in steps]
            for _ in range(2):
                out = run(inputs, lengths)
            if not all(bool(x.cpu().isfinite().all()) for pair in out for x in pair):
                raise RuntimeError(f"{dtype}, {batch}, {steps}, {hidden}, {layers}: not finite")


def engine() -> None:
    """The engine's graph on a batch of ragged lengths, in both precisions."""
    from engine_case import make_model

    random = np.random.default_rng(0)
    shapes = ((0, 0), (61, 1), (300, 9), (747, 40))
    features = [random.standard_normal((n, 52)).astype(np.float32) for n, _ in shapes]
    words = [random.integers(1, 50, m).astype(np.int32) for _, m in shapes]
    with tempfile.TemporaryDirectory() as folder:
        path = str(make_model(Path(folder)))
        for precision in ("fp32", "fp16"):
            run = native().CudaEngine(path, precision).run
            for out in run(features, words) + run(features[:1], words[:1]):
                if not np.isfinite(out["probabilities"]).all():
                    raise RuntimeError(f"{precision}: not finite")


if __name__ == "__main__":
    main()
