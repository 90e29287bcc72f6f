//! How a network is trained.

use std::fmt;
use std::sync::Arc;

use crate::attacks::{AdversarialLoss, Trades};
use crate::losses::{CrossEntropy, IsometricLoss, JacobianPenalty, Loss, Partition};

/// A training method of the audit.
///
/// [`Display`](fmt::Display) gives its name, such as `isometric, β = 1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// The cross-entropy alone.
    Plain,
    /// The cross-entropy and the isometric term: [`IsometricLoss`].
    Isometric {
        /// The weight β of the term.
        beta: f64,
        /// K, the factor of the distances of representations.
        scale: f64,
        /// The pairs whose distances are kept.
        partition: Partition,
    },
    /// The cross-entropy and the norm of the Jacobian: [`JacobianPenalty`], one random projection.
    Jacobian {
        /// The weight λ of the norm.
        lambda: f64,
    },
    /// Layers whose norms are a constant: [`SpectralMlp`](crate::models::SpectralMlp).
    Spectral {
        /// The norm of each layer.
        constant: f64,
    },
    /// 1-Lipschitz layers: [`LipschitzMlp`](crate::models::LipschitzMlp).
    AlmostOrthogonal,
    /// The cross-entropy at images attacked by PGD in L∞: [`AdversarialLoss`].
    Adversarial {
        /// The radius ε of the ball, pixel units.
        eps: f64,
    },
    /// The cross-entropy, and the divergence of answers around each image: [`Trades`].
    Trades {
        /// The weight β of the divergence.
        beta: f64,
        /// The radius ε of the L∞ ball, pixel units.
        eps: f64,
    },
    /// The cross-entropy and the isometric term inside classes, both at images attacked by PGD along
    /// the cross-entropy: [`AdversarialLoss`] of an [`IsometricLoss`].
    AdversarialIsometric {
        /// The radius ε of the ball, pixel units.
        eps: f64,
        /// The weight β of the term.
        beta: f64,
    },
}

impl Method {
    /// The isometric loss inside classes, with K = 1.
    pub fn isometric(beta: f64) -> Self {
        Self::Isometric {
            beta,
            scale: 1.,
            partition: Partition::Local,
        }
    }

    /// Whether each step of its training attacks the batch first, which takes ten times as long.
    pub fn is_attacked(&self) -> bool {
        matches!(
            self,
            Self::Adversarial { .. } | Self::Trades { .. } | Self::AdversarialIsometric { .. }
        )
    }

    /// What the method asks of a network, in a sentence.
    pub fn describe(&self) -> String {
        match self {
            Self::Plain => "right answers, and nothing else".into(),
            Self::Isometric {
                beta,
                scale,
                partition,
            } => {
                let pairs = match partition {
                    Partition::Local => "inside each class",
                    Partition::Global => "of all images",
                    Partition::None => "of no images",
                };
                let kept = match *scale == 1. {
                    true => "kept in the last hidden layer".into(),
                    false => format!("{scale} times those in the last hidden layer"),
                };
                format!("right answers, and distances {pairs} {kept}, with weight {beta}")
            }
            Self::Jacobian { lambda } => format!(
                "right answers, and logits that change little with the image: ½·{lambda} times the \
                 squared norm of their derivative"
            ),
            Self::Spectral { constant } => {
                format!("right answers from layers of the spectral norm {constant}")
            }
            Self::AlmostOrthogonal => "right answers from layers that stretch nothing".into(),
            Self::Adversarial { eps } => {
                format!("right answers at images that PGD has changed by up to {eps}")
            }
            Self::Trades { beta, eps } => format!(
                "right answers, and the same ones up to {eps} around each image, with weight {beta}"
            ),
            Self::AdversarialIsometric { eps, beta } => format!(
                "right answers at images that PGD has changed by up to {eps}, and distances inside \
                 each class kept there, with weight {beta}"
            ),
        }
    }

    /// The name of a file for it: `isometric_beta_1`.
    pub fn file_name(&self) -> String {
        let plain: String = self
            .to_string()
            .replace('β', "beta")
            .replace('λ', "lambda")
            .replace('ε', "eps")
            .replace('‖', "norm");
        let words = plain.split(|c: char| !c.is_ascii_alphanumeric() && c != '.');
        let words: Vec<String> = words
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        words.join("_")
    }

    /// The name of a file for its network of a seed: `isometric_beta_1_seed_0`.
    pub fn run_name(&self, seed: u64) -> String {
        format!("{}_seed_{seed}", self.file_name())
    }

    /// The loss that the *isometry* paper's attacker ascends: what the network was trained on, at images
    /// as they are.
    pub fn attackers_loss(&self) -> Arc<dyn Loss> {
        match *self {
            Self::Isometric { .. } | Self::Jacobian { .. } => self.loss(1),
            Self::AdversarialIsometric { beta, .. } => Arc::new(IsometricLoss::new(beta)),
            _ => Arc::new(CrossEntropy),
        }
    }

    /// The loss that its training descends, in batches attacked by `steps` steps.
    pub fn loss(&self, steps: usize) -> Arc<dyn Loss> {
        let attacked = |eps: f64, loss: Arc<dyn Loss>| {
            let mut own = AdversarialLoss::new(eps);
            own.attack.steps = steps;
            Arc::new(AdversarialLoss { loss, ..own })
        };
        match *self {
            Self::Plain | Self::Spectral { .. } | Self::AlmostOrthogonal => Arc::new(CrossEntropy),
            Self::Isometric {
                beta,
                scale,
                partition,
            } => Arc::new(IsometricLoss {
                scale,
                partition,
                ..IsometricLoss::new(beta)
            }),
            Self::Jacobian { lambda } => Arc::new(JacobianPenalty::new(lambda)),
            Self::Adversarial { eps } => attacked(eps, Arc::new(CrossEntropy)),
            Self::Trades { beta, eps } => Arc::new(Trades {
                steps,
                ..Trades::new(beta, eps)
            }),
            Self::AdversarialIsometric { eps, beta } => {
                attacked(eps, Arc::new(IsometricLoss::new(beta)))
            }
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("plain"),
            Self::Isometric {
                beta,
                scale,
                partition,
            } => {
                write!(f, "isometric, β = {beta}")?;
                if *scale != 1. {
                    write!(f, ", K = {scale}")?;
                }
                match partition {
                    Partition::Local => Ok(()),
                    other => write!(f, ", {other}"),
                }
            }
            Self::Jacobian { lambda } => write!(f, "Jacobian, λ = {lambda}"),
            Self::Spectral { constant } => write!(f, "spectral, ‖W‖ = {constant}"),
            Self::AlmostOrthogonal => f.write_str("1-Lipschitz (AOL)"),
            Self::Adversarial { eps } => write!(f, "adversarial, ε = {eps}"),
            Self::Trades { beta, eps } => write!(f, "TRADES, β = {beta}, ε = {eps}"),
            Self::AdversarialIsometric { eps, beta } => {
                write!(f, "adversarial, ε = {eps}, and isometric, β = {beta}")
            }
        }
    }
}
