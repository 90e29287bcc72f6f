//! Paths against ASE, PyTorch and the literature's saddles, against laws, and against bad input.

mod algebra;
mod certify;
#[path = "../common/mod.rs"]
mod common;
mod ends;
mod exact;
mod fixtures;
mod laws;
mod network;
mod refusals;
mod regions;
mod surfaces;
