"""Convert between the bytes of picture files and pixels: decoding, colour and sample layouts, composing, encoding.

This wing opens no file and runs no network. It may import `recipe`, `formats` and `errors`; see the contract of
import-linter in pyproject.toml.
"""
