"""nobg removes the background of pictures on the machine they are on.

ARCHITECTURE.md tells how the modules fit together.
"""

import os

# The onnxruntime wheels carry an uploader that nothing but this variable, set before the import, keeps quiet.
# Every module of ours is imported after this line.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
