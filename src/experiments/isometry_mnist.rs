//! The *isometry* paper's experiment on MNIST: sections 2.2 and 3.3, table 1, figure 3.
//!
//! One network for each weight β of the isometric loss and each seed ([`train_networks`]); each
//! attacked by FGSM and PGD over the same step sizes, once along the cross-entropy and once along
//! the full training loss ([`robustness`](robustness())); what shows whether the gradient leads the
//! attacker astray ([`gradient_angles`], [`attack_strength`]); and the Lipschitz constants that are to
//! explain the result ([`stretch`](stretch())). The results draw themselves.

mod figures;
mod gradients;
mod networks;
mod results;
mod robustness;
mod settings;
mod strength;
mod stretch;

pub use gradients::{Angle, Angles, gradient_angles};
pub use networks::{Networks, Trained, save_networks, train_network, train_networks};
pub use results::{Evidence, FgsmResults, PgdResults, Results, Seconds};
pub use robustness::{
    Accuracies, Curves, Robustness, StepAccuracy, fgsm_curves, pgd_curves, robustness,
};
pub use settings::Settings;
pub use strength::{AttackStrength, Strength, attack_strength};
pub use stretch::{Stretch, Stretches, stretch};
