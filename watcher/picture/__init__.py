"""Bytes <-> pixels: decoding every supported format, colour, layout, and encoding the output.

No network model and no file access. `worker`, `api` and `matting`'s callers may import this wing; it imports `recipe`, `formats` and
`errors`.
"""
