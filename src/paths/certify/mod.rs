//! Verdicts along straight segments that are proved, rounding included.
mod activations;
mod bounds;
mod certificate;
mod chain;
mod deviation;
mod params;
mod procedure;
mod rounding;
mod search;
mod stretch;

pub use certificate::{Certificate, Verdict, Witness};
pub use params::CertifyParams;
pub use procedure::{certify, certify_segments};
pub use stretch::{LipschitzCertifyParams, lipschitz_certify};
