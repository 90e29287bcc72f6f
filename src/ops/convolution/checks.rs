//! Checks of the arguments of both convolutions.

use candle_core::{DType, Tensor};

use crate::error::{Error, Result};
use crate::ops::dtype::widened;

/// Adds a number to each channel, in a composite twin.
pub(super) fn with_bias(y: Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    match bias {
        Some(bias) => Ok(y.broadcast_add(&widened("bias", bias)?.reshape((1, (), 1, 1))?)?),
        None => Ok(y),
    }
}

/// The largest size: no image is as large, and sizes that follow from larger ones would overflow.
const LARGEST: usize = 65_536;

/// Checks stride, dilation and groups: each at least 1.
pub(super) fn at_least_one(arguments: &[(&'static str, usize)]) -> Result<()> {
    match arguments.iter().find(|(_, value)| *value == 0) {
        Some((name, value)) => Err(Error::argument(name, "at least 1", value)),
        None => not_huge(arguments),
    }
}

/// Checks sizes that are added up: none over the largest.
pub(super) fn not_huge(arguments: &[(&'static str, usize)]) -> Result<()> {
    match arguments.iter().find(|(_, value)| *value > LARGEST) {
        Some((name, value)) => Err(Error::argument(name, format!("at most {LARGEST}"), value)),
        None => Ok(()),
    }
}

/// Checks that a bias has a number for each channel of the result.
pub(super) fn check_bias(
    operation: &'static str,
    bias: Option<&Tensor>,
    channels: usize,
) -> Result<()> {
    match bias {
        Some(bias) if bias.dims() != [channels] => Err(Error::shape(
            operation,
            "bias",
            format!("({channels},)"),
            bias.dims(),
        )),
        _ => Ok(()),
    }
}

/// Checks that all tensors have one dtype.
pub(super) fn check_dtypes(dtype: DType, weight: &Tensor, bias: Option<&Tensor>) -> Result<()> {
    let expected = || format!("{dtype:?}, that of x");
    if weight.dtype() != dtype {
        return Err(Error::argument(
            "dtype of weight",
            expected(),
            format!("{:?}", weight.dtype()),
        ));
    }
    match bias {
        Some(bias) if bias.dtype() != dtype => Err(Error::argument(
            "dtype of bias",
            expected(),
            format!("{:?}", bias.dtype()),
        )),
        _ => Ok(()),
    }
}
