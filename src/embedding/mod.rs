//! Embeddings: points of many dimensions drawn in the plane.
//!
//! UMAP is written here, since no crate fitted (November 2026). `umap-rs` 0.4.5 draws from a
//! generator without a seed and lets its threads race, so no two pictures agree. `manifolds-rs`
//! 0.8.0 has a seed and is as trustworthy as this module on the same data, but brings forty further
//! crates, a linear algebra library among them, which take three minutes of processor time to
//! compile. `annembed` and `fast-umap` bring more still.

mod components;
mod curve;
mod graph;
mod layout;
mod neighbors;
mod umap;

pub use neighbors::{Neighbors, nearest_neighbors};
pub(crate) use neighbors::{check_size, distances_from, others_by_distance, points};
pub use umap::{UmapParams, umap};
