//! The end points of bands, checked.

use candle_core::{DType, Tensor};

use super::band;
use crate::checks::{Bounds, is_finite};
use crate::error::{Error, Result};

/// Pairs of points (B, D), none of a point and itself.
pub(super) struct Ends {
    starts: Tensor,
    ends: Tensor,
    shape: Vec<usize>,
}

impl Ends {
    /// `starts` and `ends`: (B, …).
    ///
    /// # Errors
    /// Not the same shape or dtype, no (B, …) with a number in it, not floating-point, not finite,
    /// identical, or outside the bounds.
    pub fn new(starts: &Tensor, ends: &Tensor, bounds: Option<Bounds>) -> Result<Self> {
        if starts.rank() < 2 || starts.elem_count() == 0 {
            return Err(Error::shape(
                "path",
                "starts",
                "(B, …), B at least 1 and no dimension 0",
                starts.dims(),
            ));
        }
        if starts.dims() != ends.dims() {
            return Err(Error::shape(
                "path",
                "ends",
                format!("{:?}, that of starts", starts.dims()),
                ends.dims(),
            ));
        }
        if !starts.dtype().is_float() || starts.dtype() != ends.dtype() {
            let got = format!("{} and {}", starts.dtype().as_str(), ends.dtype().as_str());
            return Err(Error::argument(
                "starts and ends",
                "floating-point numbers of one type",
                got,
            ));
        }
        let shape = starts.dims().iter().skip(1).copied().collect();
        let flat = |points: &Tensor| -> Result<Tensor> {
            Ok(points.detach().flatten_from(1)?.contiguous()?)
        };
        let (starts, ends) = (flat(starts)?, flat(ends)?);
        for (name, points) in [("starts", &starts), ("ends", &ends)] {
            check_range(name, points, bounds)?;
        }
        let apart = (&ends - &starts)?
            .abs()?
            .max(1)?
            .to_dtype(DType::F64)?
            .to_vec1::<f64>()?;
        if let Some(pair) = apart.iter().position(|apart| *apart == 0.) {
            return Err(Error::argument(
                "ends",
                "another point than the start",
                format!("the start itself in pair {pair}"),
            ));
        }
        Ok(Self {
            starts,
            ends,
            shape,
        })
    }

    /// B.
    pub fn bands(&self) -> usize {
        self.starts.dims().first().copied().unwrap_or(0)
    }

    /// The shape of one point.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// `count` straight bands from pair `first` on.
    pub fn straight(&self, first: usize, count: usize, pivots: usize) -> Result<Tensor> {
        band::straight(
            &self.starts.narrow(0, first, count)?,
            &self.ends.narrow(0, first, count)?,
            pivots,
        )
    }
}

/// # Errors
/// Not finite, or outside the bounds.
pub(super) fn check_range(
    name: &'static str,
    points: &Tensor,
    bounds: Option<Bounds>,
) -> Result<()> {
    if !is_finite(points)? {
        return Err(Error::argument(name, "finite numbers", "not finite"));
    }
    bounds.map_or(Ok(()), |bounds| bounds.check(name, "points", points))
}
