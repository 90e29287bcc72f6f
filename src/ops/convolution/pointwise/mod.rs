//! Convolutions of 1×1 on images channel by channel, as tensors have them.
//!
//! ```text
//! y[n, o, p] = bias[o] + Σ_c weight[o, c] · x[n, c, p]
//! ```
//!
//! A vector holds pixels here. To lay channels side by side, and apart again, would cost more than these
//! few products. Each sum is taken in the order of the channels, as [`Product`](super::product::Product)
//! takes it. `plan` says what is computed, `part` is the loop, `run` shares the work
//! among threads.

mod part;
pub(super) mod plan;
mod run;
