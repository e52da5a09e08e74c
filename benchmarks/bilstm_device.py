"""The core's BiLSTM on torch tensors: memory, streams and weights are torch's.

What the engine does in C++, for benchmarks and tests. On the shim (tests/test_emulated_bilstm.py)
the same lines run with CPU tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

TYPES = {torch.float32: "float32", torch.float16: "float16"}


def directions(lstm: nn.LSTM) -> list[list[list[Any]]]:
    """NumPy weights [layers][2 directions][w_ih, w_hh, b_ih, b_hh] of a bidirectional nn.LSTM."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [
        [
            [getattr(lstm, f"{n}_l{layer}{end}").detach().float().cpu().numpy() for n in names]
            for end in ("", "_reverse")
        ]
        for layer in range(lstm.num_layers)
    ]


class DeviceBiLSTM:
    """One or two bidirectional nn.LSTM of one hidden size, as two kernels of ``core``.

    Outputs and workspace are kept from call to call of one shape, so that a call allocates
    nothing and can be captured.
    """

    def __init__(
        self, core: Any, lstms: Sequence[nn.LSTM], dtype: torch.dtype, device: str
    ) -> None:
        self.core, self.dtype, self.device = core, dtype, torch.device(device)
        self.widths = [lstm.input_size for lstm in lstms]
        self.hidden, self.layers = lstms[0].hidden_size, lstms[0].num_layers
        self.weights = []
        for lstm in lstms:
            packed = core.cuda_bilstm_pack(
                TYPES[dtype], lstm.input_size, self.hidden, directions(lstm)
            )
            self.weights.append(torch.frombuffer(bytearray(packed), dtype=torch.uint8).to(device))
        self.kept: dict[Any, tuple[list[Tensor], list[Tensor], Tensor]] = {}

    def __call__(
        self,
        inputs: Sequence[Tensor],
        lengths: Sequence[Tensor | None],
        project: bool = True,
    ) -> list[tuple[Tensor, Tensor]]:
        """Inputs [B, K, width] and lengths [B] -> states [B, K, 2H] and last state [B, 2H].

        Without ``project`` the projection of the call before is taken, to time the recurrence.
        """
        shapes = tuple(tuple(x.shape) for x in inputs)
        states, last, _ = self.kept.get(shapes) or self._make(shapes)
        calls = self._arguments(inputs, lengths, states, last)
        place = (TYPES[self.dtype], self.device.index or 0, self._stream())
        workspace = self.kept[shapes][2].data_ptr()
        sizes = (inputs[0].shape[0], self.hidden, self.layers)
        if project:
            self.core.cuda_bilstm_project(*place, sizes, calls, workspace)
        self.core.cuda_bilstm_recur(*place, sizes, calls, workspace)
        return list(zip(states, last, strict=True))

    def _make(self, shapes: Any) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Outputs full of NaN, so that what is not written shows, and a workspace of zeros."""
        nan = {"fill_value": torch.nan, "device": self.device}
        states = [
            torch.full((b, k, 2 * self.hidden), dtype=self.dtype, **nan) for b, k, _ in shapes
        ]
        last = [torch.full((b, 2 * self.hidden), **nan) for b, _, _ in shapes]
        empty = (0, 0, 0)
        sizes = [(k, width, empty, 0, 0, 0, empty, 0) for _, k, width in shapes]
        _, size = self.core.cuda_bilstm_workspace(
            TYPES[self.dtype],
            self.device.index or 0,
            (shapes[0][0], self.hidden, self.layers),
            sizes,
        )
        workspace = torch.zeros(size, dtype=torch.uint8, device=self.device)
        self.kept[shapes] = (states, last, workspace)
        return self.kept[shapes]

    def _arguments(self, inputs: Any, lengths: Any, states: Any, last: Any) -> list[Any]:
        strided = lambda x: (x.data_ptr(), x.stride(0), x.stride(1))  # noqa: E731
        return [
            (
                x.shape[1], x.shape[2], strided(x), 0 if n is None else n.data_ptr(),
                0 if n is None else n.element_size(), w.data_ptr(), strided(s), h.data_ptr(),
            )
            for x, n, w, s, h in zip(inputs, lengths, self.weights, states, last, strict=True)
        ]  # fmt: skip

    def _stream(self) -> int:
        return (
            torch.cuda.current_stream(self.device).cuda_stream if self.device.type == "cuda" else 0
        )
