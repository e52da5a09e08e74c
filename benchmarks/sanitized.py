"""Every CUDA kernel on small shapes; benchmarks/gpu_check.sh runs it under compute-sanitizer."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gban_edge import ops

SHAPES = ((1, 44, 10, 64), (3, 150, 40, 40), (2, 70, 5, 520), (2, 20, 70, 1024))


def main() -> None:
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
    torch.cuda.synchronize()
    print("every kernel ran")


if __name__ == "__main__":
    main()
