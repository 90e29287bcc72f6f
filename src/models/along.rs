//! A network's answers at points of straight segments.

use candle_core::Tensor;

use crate::error::{Error, Result};
use crate::ops::{Place, points_between};

/// A network at points of straight segments between given ones, as [`Network::along`](super::Network::along) gives it.
///
/// ```text
/// logits_p = f_{l:L}((1 − t) z_i + t z_j),  ((i, j), t) = places[p]
/// ```
///
/// - **Shapes**: P places; logits (P, classes).
/// - **Range**: i and j below the number of points, t in \[0, 1\].
/// - **Source**: *connectivity*, section 3.
pub trait Along: Send + Sync {
    /// The logits at these places, without a gradient.
    ///
    /// # Errors
    /// No places, one with an end that there is not or a share outside \[0, 1\], and what the network
    /// refuses.
    fn logits(&self, places: &[Place]) -> Result<Tensor>;
}

/// A network whose logits are affine in the point: those at the points (N, classes).
pub(super) struct AffineLogits(pub Tensor);

impl Along for AffineLogits {
    fn logits(&self, places: &[Place]) -> Result<Tensor> {
        check(places, self.0.dim(0)?)?;
        points_between(&self.0, places)
    }
}

/// # Errors
/// No places, one with an end that there is not, or a share outside [0, 1].
pub(super) fn check(places: &[Place], count: usize) -> Result<()> {
    if places.is_empty() {
        return Err(Error::argument("places", "at least one", "none"));
    }
    let outside =
        |(ends, t): &&Place| ends.iter().any(|end| *end >= count) || !(0. ..=1.).contains(t);
    match places.iter().find(outside) {
        Some(place) => {
            let expected =
                format!("ends below {count}, the number of points, and a share in [0, 1]");
            Err(Error::argument("place", expected, format!("{place:?}")))
        }
        None => Ok(()),
    }
}
