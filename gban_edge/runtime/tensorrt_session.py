"""An engine on a GPU: for each length bucket mapped tensors, an execution context and a CUDA graph.

The calls are those that the Python bindings of TensorRT 10.3, 10.16 and 11.1 and of TensorRT-RTX
1.7 share (python/src/infer/pyCore.cpp of NVIDIA/TensorRT at those tags). They differ in this:
create_execution_context takes an IRuntimeConfig too since 10.16, and device_memory_size_v2 is the
one size of the scratch memory that all of them have; get_device_memory_size_for_profile_v2 calls
another function in 10.3. is_stream_capturable is TensorRT-RTX's alone.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gban_edge.config import GBANConfig
from gban_edge.runtime.backend import Floats, Ids, Output
from gban_edge.runtime.cuda_context import CAPTURE_ERRORS, Context, Graph, Mapped, Memory, Stream
from gban_edge.runtime.cuda_driver import CudaError
from gban_edge.runtime.engine_file import Bucket, EngineFile
from gban_edge.runtime.onnx_facts import INPUTS, OUTPUTS
from gban_edge.runtime.ragged import cut

ALIGNMENT = 256  # what IExecutionContext::setTensorAddress asks for
Array = NDArray[Any]


class EnqueueError(RuntimeError):
    """TensorRT did not take the work."""


def tensors(config: GBANConfig, bucket: Bucket) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Shape and type of each input and output for one utterance padded to ``bucket``."""
    N, M = bucket
    K, L = config.speech_steps(N), config.text_steps(M)
    shapes: dict[str, tuple[tuple[int, ...], Any]] = {
        "features": ((1, N, config.features), np.float32),
        "feature_lengths": ((1,), np.int32),
        "words": ((1, M), np.int32),
        "word_lengths": ((1,), np.int32),
        "logits": ((1, config.classes), np.float32),
        "probabilities": ((1, config.classes), np.float32),
        "aligned_gate": ((1, config.fusion), np.float32),
        "last_gate": ((1, config.fusion), np.float32),
        "speech_weights": ((1, K), np.float32),
        "text_weights": ((1, L), np.float32),
        "alpha": ((1, L, K), np.float32),
    }
    return {name: shapes[name] for name in (*INPUTS, *OUTPUTS)}


class Slot:
    """One bucket: an execution context of its profile, its tensors in mapped memory, its graph.

    Attributes:
        bucket: frames N and words M that utterances are padded to.
        no_graph: why TensorRT is asked for every utterance anew; None where there is a graph.
    """

    def __init__(self, session: Session, index: int, bucket: Bucket, context: Context) -> None:
        self.bucket, self._config = bucket, session.file.facts.config
        self._session, self._stream = session, session.stream
        self._graph: Graph | None = None
        self.no_graph: str | None = None
        self._execution: Any = session.made_execution()
        shapes = tensors(self._config, bucket)
        sizes = [prod(shape) * np.dtype(kind).itemsize for shape, kind in shapes.values()]
        steps = [-(-size // ALIGNMENT) * ALIGNMENT for size in sizes]
        mapped = context.mapped(sum(steps))
        starts = [sum(steps[:i]) for i in range(len(steps))]
        self._arrays: dict[str, Array] = {
            name: mapped.array[start : start + size].view(kind).reshape(shape)
            for (name, (shape, kind)), start, size in zip(
                shapes.items(), starts, sizes, strict=True
            )
        }
        self._bind(index, mapped, dict(zip(shapes, starts, strict=True)))
        self._prepare()

    def takes(self, frames: int, words: int) -> bool:
        return frames <= self.bucket[0] and words <= self.bucket[1]

    def run(self, frames: Floats, words: Ids, wait: str) -> Output:
        """The network's values for frames [N, 52] and words [M] that the bucket takes."""
        n, m = len(frames), len(words)
        self._fill(frames, words)
        self._launch()
        self._stream.wait(wait)
        return cut(self._arrays, 0, n, m, self._config)

    def close(self) -> None:
        """Leave the execution context to TensorRT; the memory is the session's."""
        self._execution = self._graph = None

    def _fill(self, frames: Floats, words: Ids) -> None:
        """What lies beyond the lengths stays as it was; the network does not look at it."""
        n, m = len(frames), len(words)
        self._arrays["features"][0, :n] = frames
        self._arrays["feature_lengths"][0] = n
        self._arrays["words"][0, :m] = words
        self._arrays["word_lengths"][0] = m

    def _launch(self) -> None:
        if self._graph is not None:
            self._graph.launch()
        else:
            self._enqueue()

    def _enqueue(self) -> None:
        if not self._execution.execute_async_v3(self._stream.handle):
            raise EnqueueError(self._session.failed("run an utterance"))

    def _bind(self, index: int, mapped: Mapped, starts: dict[str, int]) -> None:
        """Fix profile, shapes and addresses, once and for all."""
        execution, session = self._execution, self._session
        frames, words = self.bucket
        what = f"take the bucket of {frames} frames and {words} words"
        try:
            taken = execution.set_optimization_profile_async(index, self._stream.handle)
        except RuntimeError as error:  # how the bindings say that it failed
            raise RuntimeError(session.failed(what)) from error
        self._stream.wait("block")
        for name, array in self._arrays.items():
            if name in INPUTS:
                taken = taken and execution.set_input_shape(name, array.shape)
            taken = taken and execution.set_tensor_address(name, mapped.address + starts[name])
        if not taken:
            raise RuntimeError(session.failed(what))
        execution.set_device_memory(session.scratch.address, session.scratch.size)
        for name in OUTPUTS:
            made = tuple(execution.get_tensor_shape(name))
            if made != self._arrays[name].shape:
                raise ValueError(
                    f"{session.file.path}: {name} must have shape "
                    f"{list(self._arrays[name].shape)} for {frames} frames and {words} words, got "
                    f"{list(made)}; it is of another network than its sidecar: {session.cure}"
                )

    def _prepare(self) -> None:
        """Run once, which TensorRT needs to do before it can be captured, then capture: so that the
        first utterance is as fast as the others."""
        frames, words = self.bucket
        self._fill(np.zeros((frames, self._config.features), np.float32), np.zeros(words, np.int32))
        self._enqueue()
        self._stream.wait("block")
        capturable = getattr(self._execution, "is_stream_capturable", None)
        if capturable is not None and not capturable(self._stream.handle):
            self.no_graph = "TensorRT-RTX says that its work cannot be captured"
        else:
            self._capture()
        self._launch()
        self._stream.wait("block")

    def _capture(self) -> None:
        try:
            self._graph = self._stream.capture(self._enqueue)
        except CudaError as error:
            if error.code not in CAPTURE_ERRORS:
                raise
            self.no_graph = f"{self._session.failed('capture its work')} ({error})"
        except EnqueueError as error:
            self.no_graph = str(error)
        file = self._session.file
        if self.no_graph and (file.facts.flavour, file.key.module) == ("plain", "tensorrt"):
            self.no_graph += "; this project's kernels can be: gban-edge export --flavour plugin"


class Session:
    """The engine of ``file`` on ``context``, which this object closes.

    All buckets share one stream, and one scratch memory too, since they run one after another.

    Attributes:
        slots: one a bucket, in the engine's order.

    Raises:
        ValueError: an engine of another network, or with dynamic shapes.
        RuntimeError: TensorRT cannot read or run it, or memory is short, in TensorRT's or the
            driver's words.
    """

    def __init__(self, file: EngineFile, trt: Any, context: Context) -> None:
        from gban_edge.deploy.tensorrt_log import make_log

        self.file, self._trt, self._context = file, trt, context
        self.cure = f"build it anew: gban-edge build FILE.onnx -o {file.path}"
        self.slots: list[Slot] = []
        self._log = make_log(trt)
        self._runtime: Any = None
        self._engine: Any = None
        self.scratch = Memory(0, 0)
        self._lock, self._open = threading.Lock(), True
        try:
            with context:
                self._load()
        except BaseException:
            with suppress(CudaError):  # the first error is the one to tell
                self.close()
            raise

    def _load(self) -> None:
        if not self.file.key.buckets:
            raise ValueError(
                f"{self.file.path} has dynamic shapes, and the runtime takes length buckets; "
                "build it anew without --dynamic"
            )
        self.stream: Stream = self._context.stream()
        try:
            self._runtime = self._trt.Runtime(self._log)
        except TypeError:  # how pybind11 says that createInferRuntime gave none
            raise RuntimeError(self.failed("start")) from None
        self._engine = self._runtime.deserialize_cuda_engine(self.file.plan())
        if self._engine is None:
            raise RuntimeError(f"{self.failed('read the engine')}; {self.cure}")
        self._check_interface()
        # As the bindings' documentation asks: no less than the most of all profiles.
        self.scratch = self._context.allocate(max(1, self._engine.device_memory_size_v2))
        self.stream.clear(self.scratch)
        for index, bucket in enumerate(self.file.key.buckets):
            self.slots.append(Slot(self, index, bucket, self._context))

    def _check_interface(self) -> None:
        """ValueError where tensors or profiles are not those that the sidecar tells of."""
        engine, kinds = self._engine, self._trt.DataType
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        if sorted(names) != sorted((*INPUTS, *OUTPUTS)):
            raise ValueError(
                f"{self.file.path}: inputs and outputs must be {', '.join((*INPUTS, *OUTPUTS))}, "
                f"got {', '.join(names)}; {self.cure}"
            )
        for name, (_, kind) in tensors(self.file.facts.config, self.file.key.buckets[0]).items():
            if engine.get_tensor_dtype(name) != (
                kinds.FLOAT if kind is np.float32 else kinds.INT32
            ):
                raise ValueError(
                    f"{self.file.path}: {name} must be {np.dtype(kind)}, got "
                    f"{engine.get_tensor_dtype(name)}; {self.cure}"
                )
        profiles, wanted = engine.num_optimization_profiles, len(self.file.key.buckets)
        if profiles != wanted:
            raise ValueError(
                f"{self.file.path}: must have {wanted} optimisation profiles, as many as its "
                f"sidecar has buckets, got {profiles}; {self.cure}"
            )

    def made_execution(self) -> Any:
        """An execution context whose scratch memory is ours."""
        strategy = self._trt.ExecutionContextAllocationStrategy.USER_MANAGED
        made = self._engine.create_execution_context(strategy)
        if made is None:
            raise RuntimeError(self.failed("make an execution context"))
        return made

    def failed(self, what: str) -> str:
        """That TensorRT could not do ``what``, in its first words since the last failure."""
        said = self._log.errors[0].strip() if self._log.errors else "it did not say why"
        self._log.errors.clear()
        return (
            f"{self._trt.__name__} {self._trt.__version__} could not {what} ({self.file.path}): "
            f"{said}"
        )

    def check_open(self) -> None:
        """RuntimeError after :meth:`close`."""
        if not self._open:
            raise RuntimeError(f"the engine {self.file.path} has been closed")

    def run(self, work: list[tuple[Slot, Floats, Ids]], wait: str) -> list[Output]:
        """Each utterance in its slot, one after another; threads take turns."""
        with self._lock:
            self.check_open()
            with self._context:
                return [slot.run(frames, words, wait) for slot, frames, words in work]

    def close(self) -> None:
        """Free everything; a second call does nothing. CudaError as Context.close."""
        with self._lock:
            if not self._open:
                return
            self._open = False
            try:
                with self._context:  # in which TensorRT's destructors free what is theirs
                    self._forget()
            finally:  # the context may be lost
                self._forget()
                self._context.close()

    def _forget(self) -> None:
        """Leave TensorRT's objects to its destructors, users first."""
        for slot in self.slots:
            slot.close()
        self._engine = None
        self._runtime = None
