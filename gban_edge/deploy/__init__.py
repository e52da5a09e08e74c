"""From a trained model file to a device: ONNX, TensorRT engines, and how fast they are there."""
