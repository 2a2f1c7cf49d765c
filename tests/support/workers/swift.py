"""The real worker with an accelerator: `support.workers.swift KIND MODE`. That is the processor, made to look like one.

KIND: `good`; `files`: it opens a file in each run, as a driver might; `lost`: it fails at any picture but the sample.
"""

import sys
import time
from typing import Any

import numpy as np
import onnxruntime

from watcher.matting import providers
from watcher.worker import process

SWIFT = providers.Provider("swift", "SwiftExecutionProvider")
kind = sys.argv.pop(1)
real = onnxruntime.InferenceSession


class Session:
    """The processor's, slowed down, or the accelerator's."""

    def __init__(self, data: bytes, options: Any, providers: Any, **_more: Any) -> None:
        self.names = [name if isinstance(name, str) else name[0] for name in providers]
        self.real = real(data, options, providers=["CPUExecutionProvider"])
        self.sample: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def get_providers(self) -> list[str]:
        """As onnxruntime's."""
        return self.names

    def run(self, *arguments: Any) -> Any:
        """As onnxruntime's."""
        (values,) = arguments[1].values()
        self.sample = values if self.sample is None else self.sample
        if SWIFT.execution_provider not in self.names:
            time.sleep(1)
        elif kind == "files":
            open(sys.executable, "rb").close()
        elif kind == "lost" and not np.array_equal(values, self.sample):
            raise RuntimeError("device lost")
        return self.real.run(*arguments)


onnxruntime.InferenceSession = Session
onnxruntime.get_available_providers = lambda: [SWIFT.execution_provider, providers.CPU_EXECUTION_PROVIDER]
providers.PROVIDERS = (SWIFT,)
sys.exit(process.main())
