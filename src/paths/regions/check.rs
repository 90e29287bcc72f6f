//! The edges of a result again, with other samples.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::edge::{Edge, EdgeKind};
use super::params::RegionsParams;
use super::procedure::complete;
use super::result::Regions;
use super::sampler::Sampler;
use super::search::Search;
use crate::error::{Error, Result};
use crate::models::{Network, Representation};

/// What another number of samples makes of the edges of [`Regions`], from [`Regions::check`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionsCheck {
    /// The edges that leave the class at one of these samples, with the margin there.
    pub failed: Vec<Edge>,
    /// The components that the other edges leave, in the order of [`Regions::components`].
    pub components: Vec<Vec<usize>>,
    /// The result with these samples: the other edges, and what was found in the place of those that
    /// failed.
    pub repaired: Regions,
}

impl Regions {
    /// Tests every segment of the forest again, with another number of samples, for example
    /// four times as many; then searches for others in the place of those that failed.
    ///
    /// Bands count as they were found: their points are not kept.
    ///
    /// - **Shapes**: `points` (N, …), the same as before, and in the same representation.
    /// - **Range**: any `params.samples`; what was sampled before is not sampled again, which with a
    ///   multiple are all points of before.
    ///
    /// # Errors
    /// Not as many points, an edge between points that there are not, or what
    /// [`regions`](super::regions()) refuses.
    pub fn check(
        &self,
        network: &dyn Network,
        representation: Representation,
        points: &Tensor,
        params: &RegionsParams,
    ) -> Result<RegionsCheck> {
        params.validate()?;
        let sampler = Sampler::new(network, representation, points, params.samples)?;
        let n = sampler.count();
        if n != self.points {
            let expected = format!("({}, …), the points of the result", self.points);
            return Err(Error::shape("check", "points", expected, points.dims()));
        }
        self.check_ends()?;
        let bar = params.progress.slow_bar("check");
        let mut search = Search::new(&sampler, self.class, &bar)?;
        let (bands, segments): (Vec<Edge>, Vec<Edge>) = self
            .edges
            .iter()
            .partition(|edge| edge.kind == EdgeKind::Band);
        search.begin();
        for edges in segments.chunks(params.batch_size) {
            let tested = search.refine(edges.to_vec(), self.samples)?;
            for tested in tested.iter().filter(|tested| tested.holds) {
                search.join(tested.edge);
            }
            search.show();
        }
        bands.into_iter().for_each(|band| search.join(band));
        let (failed, components) = (search.left.clone(), search.joined.groups());
        complete(&mut search, params)?;
        Ok(RegionsCheck {
            failed,
            components,
            repaired: search.result(),
        })
    }
}
