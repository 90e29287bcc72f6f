//! Verdicts along straight segments that are proved, rounding included.
//!
//! Samples say nothing about what lies between them, and [`exact`](crate::paths::exact()) nothing about
//! the rounding of its own numbers or of the network's. [`certify`] proves that a network, *as it is
//! computed*, keeps a class on a whole segment; [`certify_segments`] does so for many.
//! [`lipschitz_certify`] proves it by samples and a Lipschitz constant.
//!
//! # What is proved
//!
//! [`Verdict::Proved`] says: at every t ∈ [0, 1] the logit of the class is the largest one, strictly,
//! - for every input x with |x_i − z_i(t)| ≤ γ₄ ((1 − t) |z₁,i| + t |z₂,i|): z(t) = (1 − t) z₁ + t z₂
//!   rounded in any way, or computed in the network's type as [`linear`](crate::paths::linear()) does;
//! - for every computation in the type of the weights, f32 or f64, by IEEE 754 arithmetic that rounds to
//!   nearest (not TF32, and without flushing small numbers to 0), in which each unit adds up its products
//!   and its bias in any order, with or without fused multiply-adds;
//! - with a tanh that is wrong by at most 8u |tanh x|, four units in the last place. This is the one
//!   assumption about the code: in f32 [`linear_tanh`](crate::ops::linear_tanh()) is wrong by at most
//!   2.4u (every number of f32 was tried), in f64 it is as good as the C library's;
//! - and so for real arithmetic, too.
//!
//! u is 2⁻²⁴ in f32 and 2⁻⁵³ in f64, and γ_n = n u/(1 − n u) bounds what n roundings do to a term of a
//! sum (Higham, *Accuracy and Stability of Numerical Algorithms*, chapter 3). A unit of n inputs in any
//! such computation then differs from W x + b by at most
//!
//! ```text
//! γ_{n+1} (Σ_j |W_ij x_j| + |b_i|) + n η,   η the smallest number above 0
//! ```
//!
//! [`Verdict::Refuted`] says that the network on this machine, at z(t) rounded to its type, computes a
//! margin that is not positive; [`Witness::certain`] says that every computation does. It is
//! [`Verdict::Undecided`] where neither is found: within the limits, or since the margin somewhere is
//! smaller than what rounding may do.
//!
//! # How
//!
//! On a part of the segment, t = t_m + s h with s ∈ [−1, 1], every unit is bounded by a line in s:
//!
//! ```text
//! m + d s − r ≤ unit ≤ m + d s + r
//! affine    m' = W m + b,  d' = W d,  r' = |W| r + rounding
//! φ         φ(x) = λ x + c ± e for all x between the ends of the unit's range
//! ```
//!
//! For ReLU λ is 0 or 1 and e is 0 where the sign is fixed, else the chord; for tanh the chord, with e from
//! the largest second derivative between the ends. t is the one variable, so these lines are as good as
//! the part is short, and cost no more than a few evaluations of the network. The radii, though, add up
//! the absolute values of all weights, layer by layer. So where they prove nothing, the margin is written
//! back as a function of the first layer: then each error meets the product of the later weights, signs
//! included. For one margin it takes one product a layer, the way forward three. Of 200
//! segments between images of MNIST, through five layers with tanh, all are decided, with 981 parts;
//! without it one is not, and they take 1638. A part that is still not proved is halved.
//!
//! All of this is computed in f64, whose own errors are part of the radii. |W| r and all other sums of
//! numbers ≥ 0 are enlarged by more than they may have lost, and the sums of a network with N terms in all
//! get an allowance of 8 N roundings of f64 on top of the network's γ. A bound that is NaN or
//! infinite proves nothing, nor do sums that may overflow.
//!
//! | file | what |
//! |---|---|
//! | `rounding` | γ, and what f64 does to the bounds |
//! | `chain` | a network as affine maps with activations between them |
//! | `activations` | the lines through tanh and ReLU |
//! | `bounds` | all units of some parts, forward and back |
//! | `search`, `part` | halving |
//! | `procedure`, `certificate`, `params` | what is called, its result and its parameters |
//! | `stretch`, `deviation` | proofs by a Lipschitz constant, and their allowance for rounding |

mod activations;
mod bounds;
mod certificate;
mod chain;
mod deviation;
mod params;
mod part;
mod procedure;
mod rounding;
mod search;
mod stretch;

pub use certificate::{Certificate, Verdict, Witness};
pub use params::{CertifyParams, LipschitzCertifyParams};
pub use procedure::{certify, certify_segments};
pub use stretch::lipschitz_certify;
