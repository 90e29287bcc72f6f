//! Data from NumPy's `.npz` files.

use std::fs;
use std::path::Path;

use candle_core::npy::NpzTensors;
use candle_core::{DType, Tensor};

use super::dataset::Dataset;
use super::pixels::scaled;
use crate::device;
use crate::error::{Error, Result, first_line};

const INPUTS: [&str; 3] = ["x", "images", "inputs"];
const LABELS: [&str; 2] = ["y", "labels"];
/// More bytes than this never come out of one packed byte (RFC 1951's longest match, in the fewest
/// bits).
const LARGEST_RATIO: u64 = 1032;

impl Dataset {
    /// Reads the inputs and labels in a file of NumPy's `savez`, onto [`device::best`].
    ///
    /// Inputs: the array `x`, `images` or `inputs`, (N, …). Bytes k become k/255; floating-point
    /// numbers keep their values, rounded to f32. Labels: the array `y` or `labels`, (N,) of
    /// integers from 0. The order of the axes is the file's: pictures as (N, height, width,
    /// channels) are for you to turn, with `x.transpose(0, 3, 1, 2)`, since a shape does not say
    /// what its axes mean.
    ///
    /// ```python
    /// numpy.savez("digits.npz", x=images, y=labels)
    /// ```
    /// ```no_run
    /// use isopath::datasets::Dataset;
    ///
    /// let digits = Dataset::from_npz("digits.npz")?.split(0.2, 0)?;
    /// # Ok::<(), isopath::Error>(())
    /// ```
    ///
    /// # Errors
    /// The file cannot be read or is packed (`savez_compressed`), lacks one of the two arrays or
    /// has two for one of them (the error lists the names it found), an array is in Fortran's
    /// order, of another type or shorter than it claims, or the two differ in number.
    pub fn from_npz(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file_bytes = fs::metadata(path).map_err(Error::io(path))?.len();
        let arrays = NpzTensors::new(path).map_err(|error| broken(path, &error))?;
        let read = |names: &[&str]| -> Result<Tensor> {
            let name = pick(path, &arrays, names)?;
            let (shape, dtype) = arrays
                .get_shape_and_dtype(name)
                .map_err(|error| broken(path, &error))?;
            // Before its memory is asked for: a header may claim anything.
            let claimed = shape
                .dims()
                .iter()
                .try_fold(dtype.size_in_bytes() as u64, |n, size| {
                    n.checked_mul(*size as u64)
                });
            if claimed.is_none_or(|claimed| claimed / LARGEST_RATIO > file_bytes) {
                let expected = format!("as many numbers as {name} claims, {:?}", shape.dims());
                return Err(Error::file(
                    path,
                    expected,
                    format!("{file_bytes} bytes in all"),
                ));
            }
            let array = arrays.get(name).map_err(|error| broken(path, &error))?;
            array.ok_or_else(|| Error::file(path, format!("an array {name}"), "none"))
        };
        let inputs = read(&INPUTS)?;
        let inputs = match inputs.dtype() {
            DType::U8 => scaled(&inputs.flatten_all()?.to_vec1::<u8>()?, inputs.dims())?,
            dtype if dtype.is_float() => inputs.to_dtype(DType::F32)?,
            dtype => {
                let expected = "inputs of uint8 or floats (in Python: x.astype(\"float32\"))";
                return Err(Error::file(path, expected, format!("inputs of {dtype:?}")));
            }
        };
        Self::new(inputs, read(&LABELS)?)?.to_device(&device::best())
    }
}

/// The one array that has one of the names.
fn pick<'a>(path: &Path, arrays: &'a NpzTensors, names: &[&str]) -> Result<&'a str> {
    let mut found = arrays.names();
    found.sort();
    let mut wanted = found.iter().filter(|name| names.contains(&name.as_str()));
    if let (Some(name), None) = (wanted.next(), wanted.next()) {
        return Ok(name);
    }
    let found: Vec<&str> = found.iter().map(|name| name.as_str()).collect();
    let got = match found[..] {
        [] => "no arrays".to_string(),
        _ => format!("the arrays {}", found.join(", ")),
    };
    Err(Error::file(
        path,
        format!("one array called {}", names.join(" or ")),
        got,
    ))
}

fn broken(path: &Path, error: &candle_core::Error) -> Error {
    let reason = first_line(error);
    let expected = if reason.contains("ompression") {
        "a file of numpy.savez (not of savez_compressed)"
    } else if reason.contains("fortran") {
        "arrays in C order (in Python: numpy.ascontiguousarray)"
    } else {
        "a whole file of numpy.savez"
    };
    Error::file(path, expected, reason)
}
