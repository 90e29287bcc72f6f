//! The edges of a result again, with other samples.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::edge::{Edge, EdgeKind};
use super::params::check_samples;
use super::result::Regions;
use super::sampler::{Link, Sampler};
use super::search::margins_of_points;
use super::union_find::UnionFind;
use crate::error::{Error, Result};
use crate::models::{Network, Representation};

/// What another number of samples makes of the edges of [`Regions`], from [`Regions::check`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionsCheck {
    /// The number of equal parts into which samples divide a segment.
    pub samples: usize,
    /// The edges that leave the class at one of these samples, with the margin there.
    pub failed: Vec<Edge>,
    /// The components that the other edges leave, in the order of [`Regions::components`].
    pub components: Vec<Vec<usize>>,
    /// The number of points given to the network.
    pub evaluations: usize,
}

impl Regions {
    /// Tests every segment of the forest again, with another number of samples, for example
    /// four times as many.
    ///
    /// Bands count as they were found: their points are not kept.
    ///
    /// - **Shapes**: `points` (N, …), the same as before, and in the same representation.
    /// - **Range**: `samples` at least 2; a multiple of those before samples the same points again
    ///   and others between.
    ///
    /// # Errors
    /// Not as many points, an edge between points that there are not, or what
    /// [`regions`](super::regions()) refuses.
    pub fn check(
        &self,
        network: &dyn Network,
        representation: Representation,
        points: &Tensor,
        samples: usize,
    ) -> Result<RegionsCheck> {
        check_samples(samples)?;
        let sampler = Sampler::new(network, representation, points, samples)?;
        let n = sampler.count();
        if n != self.points {
            let expected = format!("({}, …), the points of the result", self.points);
            return Err(Error::shape("check", "points", expected, points.dims()));
        }
        if let Some(edge) = self
            .edges
            .iter()
            .find(|e| e.ends.iter().any(|end| *end >= n))
        {
            let expected = format!("below {n}, the number of points");
            return Err(Error::argument(
                "end of an edge",
                expected,
                format!("{:?}", edge.ends),
            ));
        }
        let margins = margins_of_points(&sampler, self.class)?;
        let (bands, segments): (Vec<Edge>, Vec<Edge>) = self
            .edges
            .iter()
            .partition(|edge| edge.kind == EdgeKind::Band);
        let link = |edge: &Edge| Link {
            ends: edge.ends,
            length: edge.length,
        };
        let links: Vec<Link> = segments.iter().map(link).collect();
        let (tested, evaluations) = sampler.test_many(&links, &margins, |_| self.class)?;
        let mut joined = UnionFind::new(n);
        let held = tested.iter().filter(|tested| tested.holds);
        for edge in held.map(|tested| &tested.edge).chain(&bands) {
            joined.join(edge.ends);
        }
        let failed = tested.iter().filter(|tested| !tested.holds);
        Ok(RegionsCheck {
            samples,
            failed: failed.map(|tested| tested.edge).collect(),
            components: joined.groups(),
            evaluations: n + evaluations,
        })
    }
}
