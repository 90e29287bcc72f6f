//! Digests, by which one set of numbers is told from another.

use candle_core::{DType, Tensor};
use sha2::{Digest, Sha256};

use crate::error::Result;

/// The SHA-256 of numbers, in hexadecimal digits.
pub(crate) fn digest(numbers: impl IntoIterator<Item = f64>) -> String {
    let mut hash = Sha256::new();
    numbers.into_iter().for_each(|number| hash.update(number.to_le_bytes()));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The numbers of a tensor, for [`digest`].
pub(crate) fn numbers(tensor: &Tensor) -> Result<Vec<f64>> {
    Ok(tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}
