//! The energy that a band descends.

use candle_core::Tensor;

use crate::error::{Error, Result};
use crate::interrupt;

/// Energies and margins of a batch of points, one entry a point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EnergyValues {
    /// The energy E(z), which a path keeps low.
    pub energy: Vec<f64>,
    /// How far z is inside the region that a path must not leave: positive inside, 0 or negative
    /// outside.
    pub margin: Vec<f64>,
}

/// A function E of points and its gradient ∇E: all that a nudged elastic band knows.
///
/// ```text
/// E(z),  ∇E(z)
/// ```
///
/// - **Shapes**: points (P, …) on any device; P energies, P margins, and gradients of the shape of
///   the points.
/// - **Range**: any finite numbers.
/// - **Source**: *connectivity*, section 3, L(z); Jónsson, Mills & Jacobsen 1998.
///
/// `bands` has an entry a point: the pair, counted from 0, whose
/// path the point lies on, for an energy that is not the same for every pair.
pub trait Energy: Send + Sync {
    /// Energy and margin of each point. Worth writing where the gradients cost time of their own.
    ///
    /// # Errors
    /// The shapes do not fit.
    fn values(&self, points: &Tensor, bands: &[usize]) -> Result<EnergyValues> {
        Ok(self.values_and_gradients(points, bands)?.0)
    }

    /// Energy and margin, and ∇E at each point, of the shape and dtype of `points`.
    ///
    /// # Errors
    /// The shapes do not fit.
    fn values_and_gradients(
        &self,
        points: &Tensor,
        bands: &[usize],
    ) -> Result<(EnergyValues, Tensor)>;
}

/// An energy with its answers checked: as many as there are points. Every step of a band asks one,
/// so here a run that the user stops ends.
pub(super) struct Checked<'a>(pub &'a dyn Energy);

impl Checked<'_> {
    pub fn values(&self, points: &Tensor, bands: &[usize]) -> Result<EnergyValues> {
        interrupt::check()?;
        counted(self.0.values(points, bands)?, bands.len())
    }

    pub fn values_and_gradients(
        &self,
        points: &Tensor,
        bands: &[usize],
    ) -> Result<(EnergyValues, Tensor)> {
        interrupt::check()?;
        let (values, gradients) = self.0.values_and_gradients(points, bands)?;
        if gradients.dims() != points.dims() {
            let expected = format!("{:?}, that of the points", points.dims());
            return Err(Error::shape(
                "energy",
                "gradients",
                expected,
                gradients.dims(),
            ));
        }
        Ok((counted(values, bands.len())?, gradients.detach()))
    }
}

fn counted(values: EnergyValues, points: usize) -> Result<EnergyValues> {
    match [values.energy.len(), values.margin.len()]
        .into_iter()
        .find(|len| *len != points)
    {
        None => Ok(values),
        Some(len) => Err(Error::argument(
            "energies and margins",
            format!("{points}, one for each point"),
            len,
        )),
    }
}
