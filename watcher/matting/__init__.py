"""Pixels -> alpha with clean edges: the models, the ONNX sessions, the ensemble, and edge refinement.

Only this wing and `worker` import onnxruntime. `worker`, `api`, `config`, `program`, `desktop` and `cli` may import
this wing; it imports `paths` and `errors` and nothing else of `watcher`.
"""
