//! Is a class one piece? Points of a class, joined by straight segments that the network keeps in
//! it.
//!
//! [`regions`] finds the components of N points: i and j lie in one if a chain of segments between
//! points leads from i to j on which the network gives the class to every sample. The edges that it
//! finds form a tree in each component, along which [`Regions::path`] is a polyline inside the
//! class. One component says that the points lie in one piece of the class, to the density of the
//! samples ([`Regions::check`] takes more); several components do not prove that there are several
//! pieces.
//!
//! A segment is what [`linear`](crate::paths::linear()) samples: the points (1 − t) z_i + t z_j with
//! t = 0, 1/s, …, 1, each inside where its margin is positive. The ends are samples, too, and are
//! asked once for all. Identical points are joined without a test.
//!
//! # The order of the tests
//!
//! 1. **Neighbours.** Each point and its k nearest ones (Euclidean), every pair once, sorted by
//!    length, then by the numbers of the points. A pair that is joined already is not tested, so the
//!    edges are a minimum spanning forest of the candidates that hold, as Kruskal's algorithm
//!    finds it. Segments are tested in batches, each from coarse to fine.
//! 2. **The rest.** While a component is not joined to the largest: each of its points gets its next
//!    nearest points outside, until it has been an end of `max_tests_per_point` tests. These pairs
//!    are tested in the order of their length, in rounds: in each round a component has one test, and
//!    one more for each that failed since it last grew, and there are at most `batch_size` tests.
//!    When all are tested, and something was joined, this step is repeated.
//! 3. **Bands**, if asked for: one [`neb`](crate::paths::neb()) between each other component and the
//!    largest, at their nearest pair.
//!
//! [`Regions::extend`] goes on with further points. [`segments`] tests given pairs, for example random ones: which share holds, and how it falls
//! with the length. [`crossings`] follows the answers along segments between any points.

mod attach;
mod bands;
mod check;
mod crossings;
mod edge;
mod extend;
mod pairs;
mod params;
mod procedure;
mod result;
mod sampler;
mod search;
mod tree;
mod union_find;

pub use check::RegionsCheck;
pub use crossings::{Crossings, crossings};
pub use edge::{Edge, EdgeKind};
pub(crate) use pairs::segments_shown;
pub use pairs::{LengthGroup, Segment, Segments, segments};
pub use params::RegionsParams;
pub use procedure::regions;
pub use result::Regions;
pub use tree::Diameter;
