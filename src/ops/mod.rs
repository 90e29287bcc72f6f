//! Differentiable kernels, each with a plain `_composite` twin that runs on every device.
