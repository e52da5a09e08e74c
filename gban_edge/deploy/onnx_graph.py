"""An ONNX graph as it is written, node by node; a value is known by its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def onnx_package() -> Any:
    """The package onnx.

    Raises:
        RuntimeError: it is not installed; says the command.
    """
    try:
        import onnx
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise RuntimeError(
            f'writing ONNX needs the package onnx ({error}): pip install "gban-edge[onnx]"'
        ) from error
    return onnx


class Graph:
    """Nodes and constants as they are added.

    Args:
        precision: float32 or float16, the type of :meth:`weight`.
    """

    def __init__(self, precision: type = np.float32) -> None:
        self._onnx = onnx_package()
        self.precision = precision
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._scope = ""

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Names of what is added within begin with ``name`` and a slash."""
        before, self._scope = self._scope, f"{self._scope}{name}/"
        try:
            yield
        finally:
            self._scope = before

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """A constant of the graph; equal ones are one."""
        array = np.ascontiguousarray(np.asarray(value, dtype)).reshape(np.shape(value))
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._known:
            name = f"{self._scope}constant_{len(self.constants)}"
            self.constants.append(self._onnx.numpy_helper.from_array(array, name))
            self._known[key] = name
        return self._known[key]

    def weight(self, value: Any) -> str:
        """A constant of the graph's precision."""
        return self.constant(value, self.precision)

    def ints(self, *values: int) -> str:
        """int64 [n], as shapes and axes are given."""
        return self.constant(values, np.int64)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """A node of one output, whose name is returned; an input "" is left out."""
        return self.ops(kind, 1, *inputs, **attributes)[0]

    def ops(self, kind: str, outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """A node of several outputs."""
        name = f"{self._scope}{kind}_{len(self.nodes)}"
        names = [name if outputs == 1 else f"{name}_{i}" for i in range(outputs)]
        make = self._onnx.helper.make_node
        self.nodes.append(make(kind, inputs, names, name=name, **attributes))
        return names

    def named(self, name: str, x: str) -> None:
        """Gives the value ``x`` the name of one of the graph's outputs."""
        make = self._onnx.helper.make_node
        self.nodes.append(make("Identity", [x], [name], name=f"output/{name}"))

    def reshape(self, x: str, *shape: int) -> str:
        """0 keeps a dimension, -1 is what is left."""
        return self.op("Reshape", x, self.ints(*shape))

    def cast(self, x: str, dtype: Any) -> str:
        to = self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.op("Cast", x, to=to)


def lstm_weights(directions: Sequence[Sequence[Array]]) -> list[Array]:
    """What ONNX's LSTM wants: W [2, 4H, width], R [2, 4H, H], B [2, 8H], both biases.

    Args:
        directions: of the forward and of the backward one weight_ih [4H, width], weight_hh
            [4H, H], bias_ih and bias_hh [4H], as torch has them: gates i, f, g, o. ONNX's order is
            i, o, f, g.
    """
    W, R, B = [], [], []
    for w_ih, w_hh, b_ih, b_hh in directions:
        W.append(onnx_gates(w_ih))
        R.append(onnx_gates(w_hh))
        B.append(np.concatenate([onnx_gates(b_ih), onnx_gates(b_hh)]))
    return [np.stack(part) for part in (W, R, B)]


def onnx_gates(rows: Array) -> Array:
    """Rows [4H, ...] of torch's gates in ONNX's order."""
    i, f, g, o = np.split(rows, 4)
    return np.concatenate([i, o, f, g])
