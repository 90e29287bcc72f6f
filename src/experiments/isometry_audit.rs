//! Is it robust? Networks trained by the *isometry* paper's loss beside what else was on offer.
//!
//! One list of training methods ([`Method`]), all on the same network, images, batches and seeds
//! ([`train_networks`]). What they give is a plain [`Mlp`](crate::models::Mlp) in every case, so that
//! one attack fits all, and anyone can load the weights.

mod method;
mod networks;
mod settings;

pub use method::Method;
pub use networks::{Networks, Trained, save_networks, train_network, train_networks};
pub use settings::Settings;
