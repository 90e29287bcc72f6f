//! Losses and layers that are to make networks robust, against PyTorch, finite differences and laws.
//!
//! `tests/fixtures/defences.json` was made by `tests/fixtures/defences.py` with torch 2.15.0 in
//! double precision.

mod attacked;
#[path = "../common/mod.rs"]
mod common;
mod fixture;
mod isometric;
mod jacobian;
mod learning;
mod orthogonal;
mod spectral;
