//! The *isometry* paper's experiment on MNIST: sections 2.2 and 3.3, table 1, figure 3.
//!
//! One network is trained for each weight β of the isometric loss and each seed
//! ([`train_networks`]). FGSM and PGD attack each network over the same step sizes, once following
//! the cross-entropy and once the full training loss ([`robustness`](robustness())).
//! [`gradient_angles`] and [`attack_strength`] show whether the gradient misleads the attacker.
//! [`stretch`](stretch()) measures the Lipschitz constants that the paper explains the result by.
//! [`Settings::fashion_mnist`] and [`Settings::cifar10`] are the same experiment on other images, as
//! the paper's authors ran it; [`Elsewhere`] holds its numbers.
//! The results draw themselves.

mod elsewhere;
mod figures;
mod gradients;
mod networks;
mod results;
mod robustness;
mod settings;
mod strength;
mod stretch;
mod tasks;
mod versions;

pub use elsewhere::Elsewhere;
pub use gradients::{Angle, Angles, gradient_angles};
pub use networks::{Networks, Trained, save_networks, train_network, train_networks};
pub use results::{Evidence, FgsmResults, PgdResults, Results, Seconds};
pub use robustness::{
    Accuracies, Curves, Robustness, StepAccuracy, fgsm_curves, pgd_curves, robustness,
};
pub use settings::Settings;
pub use strength::{AttackStrength, Strength, attack_strength};
pub use stretch::{Stretch, Stretches, stretch};
pub use tasks::{Found, Further, IsometryMnist, collected};
pub(crate) use tasks::{restored, trained_output};
pub use versions::{Version, Versions, authors_versions, compare_versions};
