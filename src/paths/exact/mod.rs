//! The linear pieces of a network along a segment, exact up to floating point.
//!
//! | file | what |
//! |---|---|
//! | `piecewise_linear` | a network whose layers are known |
//! | `program`, `kernel`, `memory` | its layers as steps on points in memory |
//! | `crossings` | the breakpoints of one step between neighbouring points |
//! | `walk`, `threads` | all steps, depth first; on the processor from many windows on, by all threads |
//! | `host`, `block` | on the processor: the steps between two with breakpoints, few points at a time |
//! | `device`, `map` | on a GPU: as tensors, many points at a time |
//! | `residual` | the comparison with the network at random points |
//! | `segment`, `info`, `params` | what is called, its result and its parameters |

mod block;
mod crossings;
mod device;
mod host;
mod info;
mod kernel;
mod map;
mod memory;
mod params;
mod piecewise_linear;
mod program;
mod residual;
mod segment;
#[cfg(test)]
mod tests;
mod threads;
mod walk;

pub(super) use info::check_class;
pub use info::{ExactInfo, Pieces};
pub use params::ExactParams;
pub use piecewise_linear::PiecewiseLinear;
pub(super) use piecewise_linear::numbers;
pub(crate) use segment::exact_path_told;
pub use segment::{exact, exact_path, exact_pieces};
