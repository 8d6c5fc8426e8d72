"""The trained policy: contract, observation, action, the ONNX session (the only user of onnxruntime)."""
