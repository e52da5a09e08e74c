"""The CUDA kernels' bodies on the CPU, behind the code that calls them on a GPU."""

import numpy as np
import pytest
import torch
from alignment_policy import ULP, assert_within_policy
from emulated import emulated_module

from gban_edge import ops
from gban_edge.ops import alignment_cuda
from gban_edge.ops.alignment_torch import align_pool_backward_op, align_pool_op

TYPES = list(ULP)
# Processors and bytes of shared memory a block: H200, Orin, and one so small that nothing is kept.
DEVICES = [(132, 232448), (8, 166912), (1, 60000)]


@pytest.fixture(scope="module")
def module():
    return emulated_module()


@pytest.fixture(autouse=True)
def emulated(module, monkeypatch):
    """CPU tensors take the way of CUDA tensors, as far as their memory."""
    monkeypatch.setattr(alignment_cuda, "native", lambda: module)
    monkeypatch.setattr(alignment_cuda, "supports", lambda speech: speech.dtype in ULP)
    place = lambda speech: (alignment_cuda.TYPES[speech.dtype], 0, 0)  # noqa: E731
    monkeypatch.setattr(alignment_cuda, "_place", place)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    alignment_cuda._workspaces.clear()
    module.set_device(*DEVICES[1])
    return module


def case(seed: int, dtype: torch.dtype):
    rng = np.random.default_rng(seed)
    batch, steps, words = (int(n) for n in rng.integers(1, [4, 140, 60]))
    size = int(rng.choice([8, 16, 24, 40, 64, 72]))
    deviation = np.sqrt(np.exp(rng.uniform(-3, 0.7)) / np.sqrt(size))
    draw = torch.Generator().manual_seed(seed)
    states = [
        (torch.randn(batch, n, size, generator=draw) * deviation).to(dtype) for n in (steps, words)
    ]
    lengths = [torch.from_numpy(rng.integers(1, n + 1, batch)) for n in (steps, words)]
    return *states, *lengths


@pytest.mark.parametrize("dtype", TYPES)
def test_errors_against_float64_on_70_random_ragged_shapes(dtype, emulated):
    for seed in range(70):
        emulated.set_device(*DEVICES[seed % 3])
        emulated.set_schedule(seed)
        assert_within_policy(*case(seed, dtype), seed)


@pytest.mark.parametrize("dtype", TYPES)
def test_maps_strided_views_and_unaligned_memory(dtype):
    speech, text, k, n = case(5, dtype)
    gold = ops.align_pool_ref(speech.double(), text.double(), k, n, True, True)
    wide = torch.full((speech.shape[0], 2 * speech.shape[1], speech.shape[2] + 8), torch.nan)
    wide = wide.to(dtype)
    wide[:, ::2, :-8] = speech
    shifted = torch.empty(speech.numel() + 1, dtype=dtype)[1:].view_as(speech).copy_(speech)
    turned = speech.transpose(1, 2).contiguous().transpose(1, 2)
    for states in (speech, wide[:, ::2, :-8], shifted, turned, speech.flip(1).flip(1)):
        out = ops.align_pool(states, text, k, n, True, True)
        for got, want in zip(out, gold, strict=True):
            assert got.dtype == dtype
            torch.testing.assert_close(got.double(), want, rtol=8 * ULP[dtype], atol=4 * ULP[dtype])


def test_without_lengths_and_with_an_empty_batch():
    speech, text, _, _ = case(6, torch.float32)
    gold = ops.align_pool_ref(speech, text)
    torch.testing.assert_close(ops.align_pool(speech, text).speech, gold.speech)
    leaves = [x[:0].clone().requires_grad_() for x in (speech, text)]
    out = ops.align_pool(*leaves, return_weights=True)
    assert [tuple(x.shape[:1]) for x in out[:4]] == [(0,)] * 4
    out.speech.sum().backward()
    assert leaves[0].grad.shape == speech[:0].shape


def test_impossible_lengths_give_nan_there_alone():
    speech, text, _, _ = case(7, torch.float32)
    speech, text = speech[:1].repeat(3, 1, 1), text[:1].repeat(3, 1, 1)
    k = torch.tensor([speech.shape[1], speech.shape[1] + 1, 0])
    out = ops.align_pool(speech, text, k)
    assert out.speech[0].isfinite().all()
    assert out.speech[1:].isnan().all()
    assert out.text[1:].isnan().all()


def test_the_workspace_is_kept_and_grows():
    speech, text, k, n = case(8, torch.float32)
    speech, text = speech.repeat(1, 3, 1), text.repeat(1, 2, 1)
    ops.align_pool(speech[:, :70], text)
    (first,) = alignment_cuda._workspaces.values()
    ops.align_pool(speech[:, :70], text)
    assert alignment_cuda._workspaces[(0, 0)] is first
    ops.align_pool(speech, text, k, n)
    assert alignment_cuda._workspaces[(0, 0)].numel() > first.numel()


@pytest.mark.parametrize("dtype", TYPES)
def test_opcheck(dtype):
    speech, text, k, n = case(9, dtype)
    leaves = [x.requires_grad_() for x in (speech, text)]
    torch.library.opcheck(align_pool_op, (*leaves, k, n, False))
    plain = [x.detach() for x in leaves]
    out = align_pool_op(*plain, k, n, False)
    upstream = [torch.randn_like(x) for x in out[:4]]
    torch.library.opcheck(align_pool_backward_op, (*plain, k, n, *out[6:], *upstream))


def test_sizes_without_a_kernel_are_known(emulated):
    fits = emulated.cuda_align_pool_fits
    assert [fits("float32", 0, d) for d in (8, 256, 1024, 12, 0, 1032)] == [True] * 3 + [False] * 3
    emulated.set_device(8, 101376)  # a desktop GPU: less shared memory
    assert [fits("float32", 0, d) for d in (512, 1024)] == [True, False]
    assert fits("float16", 0, 1024)
    with pytest.raises(ValueError, match="type must be float32, float16 or bfloat16, got int8"):
        fits("int8", 0, 8)
