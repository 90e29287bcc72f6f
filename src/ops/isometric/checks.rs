//! Checks of the arguments of the isometric loss.

use candle_core::{DType, Tensor};

use crate::device;
use crate::error::{Error, Result};

const NAME: &str = "isometric";

/// The rows of a cell's points.
pub(super) fn rows(t: &Tensor, cell: &[u32]) -> Result<Tensor> {
    // A whole batch in one cell needs no gathering.
    if cell.len() == t.dim(0)? {
        return Ok(t.clone());
    }
    device::rows(t, cell)
}

/// Points, their representations and the cell of each.
pub(super) fn check_points(x: &Tensor, z: &Tensor, cells: &[u32]) -> Result<()> {
    if x.rank() != 2 || x.dim(0)? == 0 {
        return Err(Error::shape(
            NAME,
            "x",
            "(N, D) with N at least 1",
            x.dims(),
        ));
    }
    let n = x.dim(0)?;
    check_representations(z, n, "x", x.dtype())?;
    check_cells(cells, n, "x")
}

/// `z` must have a row for each of the `n` rows of `other`.
pub(super) fn check_representations(z: &Tensor, n: usize, other: &str, dtype: DType) -> Result<()> {
    if z.rank() != 2 || z.dim(0)? != n {
        return Err(Error::shape(
            NAME,
            "z",
            format!("({n}, E), a row for each of {other}"),
            z.dims(),
        ));
    }
    if z.dtype() != dtype {
        return Err(Error::argument(
            "dtype of z",
            format!("{dtype:?}, that of {other}"),
            format!("{:?}", z.dtype()),
        ));
    }
    Ok(())
}

/// `cells` must have a number for each of the `n` rows of `other`.
pub(super) fn check_cells(cells: &[u32], n: usize, other: &str) -> Result<()> {
    if cells.len() != n {
        return Err(Error::shape(
            NAME,
            "cells",
            format!("({n},), one for each row of {other}"),
            &[cells.len()],
        ));
    }
    Ok(())
}
