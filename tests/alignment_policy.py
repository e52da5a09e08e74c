"""How far a kernel of the alignment may be from the truth (KERNELS.md, "Numerics").

Gold is float64 on the same rounded inputs. float32 forward: within 1e-5. float16 and bfloat16: at
most twice (gradients three times) the error of the same expression in PyTorch at that type, and
two units in the last place on top.
"""

from __future__ import annotations

import torch

from gban_edge import ops

ULP = {torch.float32: 2.0**-23, torch.float16: 2.0**-10, torch.bfloat16: 2.0**-7}


def all_outputs(function, speech, text, k, n, dtype):
    """Outputs and gradients, as float64, of a form computed in ``dtype``."""
    leaves = [x.detach().to(dtype).requires_grad_() for x in (speech, text)]
    out = function(*leaves, k, n, return_weights=True)[:4]
    draw = torch.Generator().manual_seed(1)
    upstream = [torch.randn(x.shape, generator=draw).to(speech.dtype).to(x) for x in out]
    gradients = torch.autograd.grad(out, leaves, upstream)
    return [x.detach().double() for x in out], [x.double() for x in gradients]


def errors(got, gold):
    return [float((g - w).abs().max()) for g, w in zip(got, gold, strict=True)]


def assert_within_policy(speech, text, k, n, seed) -> None:
    """Outputs and gradients of align_pool for these inputs; ``seed`` names the case."""
    dtype = speech.dtype
    gold = all_outputs(ops.align_pool_ref, speech, text, k, n, torch.float64)
    mine = all_outputs(ops.align_pool, speech, text, k, n, dtype)
    theirs = all_outputs(ops.align_pool_ref, speech, text, k, n, dtype)
    for part, factor in ((0, 2), (1, 3)):
        scales = [float(x.abs().max()) for x in gold[part]]
        own_errors, peer_errors = (errors(form[part], gold[part]) for form in (mine, theirs))
        for own, peer, scale in zip(own_errors, peer_errors, scales, strict=True):
            allowed = factor * peer + 2 * ULP[dtype] * scale
            single = 1e-5 * scale if dtype == torch.float32 else 0.0
            assert own <= max(allowed, single), (seed, part)
