//! The procedure: from points to the components of their class.

use candle_core::Tensor;

use super::attach::attach;
use super::bands::join_by_bands;
use super::params::RegionsParams;
use super::result::Regions;
use super::sampler::Sampler;
use super::search::Search;
use crate::error::Result;
use crate::models::{Network, Representation};

/// Which points of a class lie in one piece of it: the components of the graph of the straight
/// segments that the network keeps in the class.
///
/// ```text
/// i ~ j   if   logit_y(z) > max over c ≠ y of logit_c(z)   at   z = (1 − t) z_i + t z_j,
///              t = 0, 1/s, …, 1
/// ```
///
/// Two points lie in one component if a chain of such pairs leads from one to the other. Points of
/// different components may lie in one piece all the same: the search tests few of all pairs, and
/// the way may be no polyline through the points.
///
/// - **Shapes**: `points` (N, …), N ≥ 1, in the space of `representation`; the result has N − C
///   edges for C components.
/// - **Range**: finite numbers, all of which the network gives `class`, y; C from 1 to N.
/// - **Source**: ours, after *connectivity*, section 3; the forest is Kruskal's (1956).
///
/// [The module](super#the-order-of-the-tests) says which pairs are tested, and in which order. The
/// result does not depend on the number of threads.
///
/// It takes N + about 3 N s samples where most segments hold. Beside the points, and what the
/// network takes for 16 of them in each thread, it takes up to 100 MB for their distances, 16 MB
/// more for each thread, and some 100 bytes for each candidate; bands take what
/// [`neb`](crate::paths::neb()) takes.
///
/// ```
/// use isopath::paths::{RegionsParams, regions};
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[2, 20, 3], Activation::Tanh, vb))?;
/// let points = Rng::new(0).normal((200, 2), 0., 1., DType::F32, &Device::Cpu)?;
/// let data = Dataset::new(points.clone(), predictions(&network, &points)?)?.of_class("0")?;
/// let params = RegionsParams::default();
/// let found = regions(&network, Representation::Input, &data.inputs, 0, &params)?;
/// assert!(found.is_connected());
/// assert_eq!(found.edges.len(), data.len() - 1);
/// // The same with samples four times as dense.
/// let dense = RegionsParams { samples: 64, ..params };
/// let check = found.check(&network, Representation::Input, &data.inputs, &dense)?;
/// assert!(check.failed.is_empty());
/// # Ok::<(), isopath::Error>(())
/// ```
///
/// # Errors
/// What [`RegionsParams::validate`] refuses; points that are not (N, …) of finite floating-point
/// numbers, N at least 1, or that the network does not take; a point that it gives another class;
/// a representation that it does not have, no evaluation mode, or logits that are not finite; with
/// bands, what [`neb`](crate::paths::neb()) refuses.
pub fn regions(
    network: &dyn Network,
    representation: Representation,
    points: &Tensor,
    class: u32,
    params: &RegionsParams,
) -> Result<Regions> {
    params.validate()?;
    let sampler = Sampler::new(network, representation, points, params.samples)?;
    let bar = params.progress.slow_bar("regions");
    let mut search = Search::new(&sampler, class, &bar)?;
    complete(&mut search, params)?;
    Ok(search.result())
}

/// Joins what is apart: by segments to neighbours, by further ones, by bands.
pub(super) fn complete(search: &mut Search, params: &RegionsParams) -> Result<()> {
    if search.joined.sets() == 1 {
        return Ok(());
    }
    let candidates = search.neighbors(params.neighbors)?;
    search.begin();
    search.join_shortest(&candidates, params.batch_size)?;
    attach(search, params)?;
    match &params.bands {
        Some(bands) => join_by_bands(search, bands),
        None => Ok(()),
    }
}
