//! Further points beside those of a result.

use candle_core::Tensor;

use super::params::RegionsParams;
use super::procedure::complete;
use super::result::Regions;
use super::sampler::Sampler;
use super::search::Search;
use crate::error::{Error, Result};
use crate::models::{Network, Representation};

impl Regions {
    /// Goes on with further points of the class: do they lie in a component that is known? Or with other
    /// parameters, bands for example, and no further points.
    ///
    /// What was found counts, and its points are not asked again. The new ones are joined as
    /// [`regions`](super::regions()) joins points, to those before and among each other, so a new
    /// point that lies in the largest component is joined to it by a polyline.
    ///
    /// - **Shapes**: `points` (N + M, …): those of the result first, in the same representation, then
    ///   M others.
    /// - **Range**: M at least 0.
    ///
    /// # Errors
    /// Fewer points than before, edges or margins that are not those of N points, another number of samples
    /// than before, or what [`regions`](super::regions()) refuses.
    pub fn extend(
        &self,
        network: &dyn Network,
        representation: Representation,
        points: &Tensor,
        params: &RegionsParams,
    ) -> Result<Regions> {
        params.validate()?;
        if params.samples != self.samples {
            let expected = format!("{}, as for the points before", self.samples);
            return Err(Error::argument("samples", expected, params.samples));
        }
        let sampler = Sampler::new(network, representation, points, params.samples)?;
        if sampler.count() < self.points {
            let expected = format!(
                "({} or more, …), the points of the result first",
                self.points
            );
            return Err(Error::shape("extend", "points", expected, points.dims()));
        }
        self.check_ends()?;
        let bar = params.progress.slow_bar("further points");
        let mut search = Search::resumed(&sampler, self, &bar)?;
        complete(&mut search, params)?;
        Ok(search.result())
    }

    /// # Errors
    /// An edge between points that there are not, or not a margin for each point.
    pub(super) fn check_ends(&self) -> Result<()> {
        let n = self.points;
        let all = self.edges.iter().chain(&self.left);
        if let Some(edge) = all
            .clone()
            .find(|edge| edge.ends.iter().any(|end| *end >= n))
        {
            let expected = format!("below {n}, the number of points");
            return Err(Error::argument(
                "end of an edge",
                expected,
                format!("{:?}", edge.ends),
            ));
        }
        if self.margins.len() != n {
            let expected = format!("{n}, one for each point");
            return Err(Error::argument(
                "number of margins",
                expected,
                self.margins.len(),
            ));
        }
        Ok(())
    }
}
