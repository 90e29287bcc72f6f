//! Is it robust? Networks trained by the *isometry* paper's loss beside what else was on offer.
//!
//! One list of training methods ([`Method`]), all on the same network, images, batches and seeds
//! ([`train_networks`]). What they give is a plain [`Mlp`](crate::models::Mlp) in every case, so that
//! one attack fits all, and anyone can load the weights. [`IsometryAudit`] is the experiment as tasks.

mod audit;
mod comparison;
mod figures;
mod method;
mod near_and_far;
mod networks;
mod outcomes;
mod params;
mod pretrained;
mod ray;
mod results;
mod settings;
mod smallest;
mod tasks;
mod ways;

pub use audit::{Audited, Audits, audit, audit_network};
pub use comparison::Comparison;
pub use method::Method;
pub use near_and_far::{NearAndFar, NearAndFarParams};
pub use networks::{Networks, Trained, save_networks, train_network, train_networks};
pub use outcomes::{AtRadius, SmallestChanges};
pub use params::AuditParams;
pub use pretrained::{load_pretrained, load_pretrained_from, save_pretrained};
pub use ray::{Rays, rays};
pub use results::{ByNorm, NetworkResults, Results};
pub use settings::Settings;
pub use smallest::smallest_images;
pub use tasks::{Found, IsometryAudit, collected};
pub use ways::way_panels;
