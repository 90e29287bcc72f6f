//! The rectifier in candle's operations.

use candle_core::{Result, Tensor};

/// max(x, 0), of which a NaN stays one: on CUDA candle's own makes it 0.
pub(crate) fn relu(x: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() {
        return x.relu();
    }
    x.le(0f32)?.where_cond(&x.zeros_like()?, x)
}
