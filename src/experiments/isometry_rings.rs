//! The *isometry* paper's linked rings: section 3.1, figures 1A, 2A and 2B.
//!
//! One network for each of the three kinds of mapping and each seed ([`train_networks`]), and what
//! each does to the distances and the loop of either ring ([`RingShape`]). The networks draw the
//! figures.

mod figures;
mod networks;
mod results;
mod settings;
mod shape;
mod tasks;

pub use networks::{Networks, Trained, save_networks, train_network, train_networks};
pub use results::{NetworkResults, Results};
pub use settings::Settings;
pub use shape::{RingShape, representation, ring_shapes};
pub use tasks::{Rings, collected, tasks};
