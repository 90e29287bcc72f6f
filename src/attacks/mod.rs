//! Adversarial attacks: small changes of an input that mislead a network.
//!
//! Most attacks are one loop: from a start in the ball of radius ε around the input, take `steps`
//! steps of length α along the input gradient of a loss, normalised for the norm of the ball, and
//! after each step return to the ball and to the bounds of the pixels:
//!
//! ```text
//! x_0     = x,  or uniform in the ball
//! x_{k+1} = clip(project(x_k ± α · normalise(∇ₓ L(x_k, t))))
//!           + and t the true labels (untargeted),  − and t the labels to reach (targeted)
//! L∞: normalise(g) = sign(g), sign(0) = 0      project: x − ε ≤ x' ≤ x + ε, pixel by pixel
//! L2: normalise(g) = g / max(‖g‖₂, 1e-12)      project: x + δ · min(1, ε / ‖δ‖₂),  δ = x' − x
//! ```
//!
//! [`Pgd`] is this loop, [`Fgsm`] its one full step α = ε from x itself. Images and labels agree
//! with torchattacks 3.5.1 and foolbox 3.3.4 to float precision. Where these two differ we follow
//! foolbox: the floor under ‖g‖₂ (torchattacks adds 1e-10 to the norm, and so shortens the steps on
//! a network that is confident), and the random start in L2 (uniform in the ball; torchattacks
//! draws the radius uniformly, and so starts too close to the centre).
//!
//! **The loss is a field, and it decides the result**: the *isometry* paper's section 3.2
//! differentiates the full training loss, whose isometric term turns the gradient away from the one
//! that misleads the network ([`gradient_cosine`] measures by how much).
//!
//! **The batch is part of the attack**: images are attacked in batches of `batch_size` consecutive
//! rows. With a loss that couples the samples of a batch, another `batch_size` or another order is
//! another attack; with cross-entropy it is not. Batches run in parallel, and the numbers do not
//! depend on the number of threads.
//!
//! **Other attacks** do not take these steps: [`Square`] asks for logits alone, [`Fab`] and [`Fmn`] look
//! for the smallest change that misleads ([`MinimalAttack`]), whatever ε; one run of them is the whole
//! curve of robust accuracy ([`MinimalNorm`]).
//!
//! **Is it robust?** [`autoattack`] runs four attacks without a parameter to choose, one on what the
//! others left, and says what makes the result hard to believe: [`Apgd`] on two losses, [`Fab`],
//! [`Square`]. [`Fmn`] and [`Fab`] find the smallest change that misleads. These decide for each image
//! alone, so that neither batch nor order nor threads change a result.
//!
//! **Training against an attack**: [`AdversarialLoss`] and [`Trades`] are losses that attack each batch
//! before they look at it.
//!
//! On a CPU set `CANDLE_NUM_THREADS=1`: the batches already keep every core busy, and candle 0.11
//! otherwise shares each elementwise operation on 65,536 numbers or more (84 MNIST images) with
//! threads that wait in a spin lock, behind one mutex.

mod adversarial;
mod adversarial_loss;
mod apart;
mod apgd;
mod attack;
mod autoattack;
mod ball;
mod batches;
mod curve;
mod descent;
mod evaluation;
mod fab;
mod fgsm;
mod fmn;
mod goal;
mod gradient;
mod minimal;
mod nearest;
mod objective;
mod pgd;
mod plane;
mod pull;
mod row_ball;
mod rows;
mod run;
mod square;
mod trades;
mod training_batch;
mod warning;

pub use adversarial::Adversarial;
pub use adversarial_loss::AdversarialLoss;
pub use apgd::{Apgd, ApgdLoss, Start, Way};
pub use attack::Attack;
pub use autoattack::{AutoAttack, autoattack};
pub use curve::RobustAccuracy;
pub use evaluation::{RobustEvaluation, Stage};
pub use fab::Fab;
pub use fgsm::Fgsm;
pub use fmn::Fmn;
pub use goal::{Goal, Norm};
pub use gradient::{GradientCosine, gradient, gradient_cosine};
pub use minimal::{MinimalAttack, MinimalNorm};
pub(crate) use minimal::{median_distance, share_beyond};
pub use pgd::Pgd;
pub use plane::onto_plane;
pub use square::Square;
pub use trades::Trades;
pub use warning::Warning;

pub use crate::checks::Bounds;
