"""The real worker with a fake accelerator, which is the processor: `python swift.py KIND MODE`.

KIND: `good`; `files`: each run opens a file, as a driver might; `lost`: each run but those on the sample fails.
"""

import sys
import time
from typing import Any

import numpy as np
import onnxruntime

from watcher.matting.networks import providers
from watcher.worker import process

SWIFT = providers.Provider("swift", "SwiftExecutionProvider")
kind = sys.argv.pop(1)
RealSession = onnxruntime.InferenceSession


class Session:
    """A session on the processor: at full speed with the fake provider, else slowed down."""

    def __init__(self, data: bytes, options: Any, providers: Any, **_more: Any) -> None:
        self.names = [name if isinstance(name, str) else name[0] for name in providers]
        self.real = RealSession(data, options, providers=["CPUExecutionProvider"])
        self.sample: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def get_providers(self) -> list[str]:
        """Stand in for the method of onnxruntime's session."""
        return self.names

    def run(self, *arguments: Any) -> Any:
        """Stand in for the method of onnxruntime's session."""
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
