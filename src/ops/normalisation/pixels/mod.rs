//! Batch normalisation of images whose channels lie side by side, some images at a time.

mod gather;
mod normalise;
mod of_input;
mod parts;
mod sums;

pub(in crate::ops) use gather::Gather;
pub(in crate::ops) use normalise::{Affine, Normalise};
pub(in crate::ops) use of_input::{OfInput, Slope};
pub(in crate::ops) use parts::{Parts, PartsOf};
