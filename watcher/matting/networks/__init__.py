"""The networks at work: loaded as ONNX sessions and run, on the processor or on an accelerator."""
