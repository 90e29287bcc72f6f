//! Convolutions of 3×3 by Winograd's minimal filtering F(4×4, 3×3): 36 multiplications for 16 pixels
//! of the result where the sum of nine taps needs 144.
//!
//! ```text
//! Y     = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A
//! dL/dg = Gᵀ [Σ_tiles (Bᵀ d B) ⊙ (A dL/dY Aᵀ)] G
//! ```
//!
//! d are 6×6 pixels of the source, g the 3×3 taps, Y 4×4 pixels of the result; each of the 36 products
//! is one of matrices, (tiles, channels) times (channels, channels of the result), and for the gradient
//! (channels, tiles) times (tiles, channels of the result). The second line is the transposed of the
//! first, which is linear in g.
//!
//! The points of the interpolation are 0, ±3/4, ±3/2 and ∞, all of whose powers are numbers of the
//! machine: the root mean square of the rounding is then 1.6 to 2.4 times that of nine taps, where the
//! usual points 0, ±1, ±2, ∞ make it 3.5 to 5 times (`tests/fixtures/winograd.py`).
//!
//! - **Source**: Winograd 1980; Lavin and Gray 2016 (arXiv 1509.09308), section 4; the choice of
//!   points after Barabasz and others 2020 (arXiv 1803.10986).

#[macro_use]
mod arrays;
pub(super) mod plan;
mod points;
mod read;
mod run;
pub(in crate::ops) mod shape;
pub(super) mod sums;
mod tiles;
mod transforms;
pub(super) mod weights;
