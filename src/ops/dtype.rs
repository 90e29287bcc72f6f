//! The number type that an operation computes in.

use candle_core::{DType, Result, Tensor, bail};

use super::operation::Operation;
use super::simd::Float;
use crate::error::Error;

/// Whether there are kernels of our own for `x`: on the CPU, f32 and f64.
pub(super) fn is_fused(x: &Tensor) -> bool {
    x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64)
}

/// `x` in the numbers that a composite twin adds up in: f32 for f16, bf16 and f8, in which sums
/// stall (2048 + 1 is 2048 in f16); f32 and f64 as they are. The caller rounds its result at the
/// end, and candle rounds the gradients on their way back.
///
/// # Errors
/// Integers.
pub(crate) fn widened(name: &'static str, x: &Tensor) -> crate::Result<Tensor> {
    match x.dtype() {
        DType::F32 | DType::F64 => Ok(x.clone()),
        DType::F16 | DType::BF16 | DType::F8E4M3 => Ok(x.to_dtype(DType::F32)?),
        other => Err(Error::argument(
            name,
            "floating-point numbers: convert it with to_dtype(DType::F32)",
            format!("a tensor of {other:?}"),
        )),
    }
}

/// Code for f32 and f64.
pub(super) trait WithFloat {
    /// What it gives.
    type Output;

    /// Runs it for numbers of type `T`.
    fn run<T: Float>(self) -> Result<Self::Output>;
}

/// Runs `code` for `dtype`: the only place that tells f32 and f64 apart.
pub(super) fn with_float<C: WithFloat>(
    operation: Operation,
    dtype: DType,
    code: C,
) -> Result<C::Output> {
    match dtype {
        DType::F32 => code.run::<f32>(),
        DType::F64 => code.run::<f64>(),
        other => bail!(
            "{operation}: no kernel for {other:?}; expected F32 or F64: convert with \
             to_dtype(DType::F32)"
        ),
    }
}
