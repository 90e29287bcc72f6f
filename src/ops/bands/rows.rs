//! Bands as rows of D numbers.

use candle_core::Tensor;

use crate::error::{Error, Result};

/// B, N ≥ 2 and D of bands.
pub(super) fn dims(op: &'static str, path: &Tensor) -> Result<(usize, usize, usize)> {
    match *path.dims() {
        [bands, points, width] if points >= 2 => Ok((bands, points, width)),
        _ => Err(Error::shape(
            op,
            "path",
            "(B, N, D), N at least 2",
            path.dims(),
        )),
    }
}
