//! What makes a robust accuracy hard to believe.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A sign that an attack may have failed for a reason other than the network's robustness.
///
/// - **Shapes**: numbers of images.
/// - **Range**: counts; accuracies in \[0, 1\].
/// - **Source**: the checks of AutoAttack's public code (Croce & Hein 2020) and of Carlini et al. 2019
///   (arXiv 1902.06705), section 5.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Warning {
    /// The gradient of the cross-entropy is exactly 0 at some images.
    ZeroGradients {
        /// The number of such images.
        images: usize,
    },
    /// The network answers with probabilities, whose logarithm an attack needs.
    Probabilities,
    /// The network answers otherwise when asked again.
    Random {
        /// The largest difference of a logit.
        difference: f64,
    },
    /// The network gives all images one class.
    OneAnswer {
        /// The class.
        class: u32,
    },
    /// Too few classes for the targeted DLR loss, which needs four; another attack took its place, or
    /// none where there are but two.
    FewClasses {
        /// The number of classes.
        classes: usize,
    },
    /// The images are lines of pixels, on which Square's windows are single pixels.
    Flat {
        /// The length of a line.
        pixels: usize,
    },
    /// An attack without gradients misled images that those with gradients had not.
    GradientsHide {
        /// The number of images.
        images: usize,
    },
    /// Even where any image may become any other, some keep their label.
    AccuracyRemains {
        /// The radius that holds every image.
        eps: f64,
        /// The share of right answers there, of the images tried.
        accuracy: f64,
    },
}

/// Says what was found, what it means, and what to do.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroGradients { images } => write!(
                f,
                "the gradient is exactly 0 at {images} images: an attack that follows it learns nothing \
                 there; attack a loss of differences of logits, and without gradients"
            ),
            Self::Probabilities => f.write_str(
                "the answers lie in [0, 1] and sum to 1, as probabilities do: let the network give its \
                 logits, or gradients vanish",
            ),
            Self::Random { difference } => write!(
                f,
                "the network answers otherwise when asked again, by up to {difference:.1e}: attack the \
                 mean of many answers"
            ),
            Self::OneAnswer { class } => write!(
                f,
                "all images get class {class}: there is nothing to mislead, and accuracy says nothing"
            ),
            Self::FewClasses { classes } => write!(
                f,
                "{classes} classes are too few for the targeted DLR loss, which needs 4: {}",
                match classes {
                    3 => "the untargeted one took its place",
                    _ => "it was left out",
                }
            ),
            Self::Flat { pixels } => write!(
                f,
                "the images are lines of {pixels} pixels, on which Square tries single pixels: give them \
                 their shape by Dataset::reshaped"
            ),
            Self::GradientsHide { images } => write!(
                f,
                "Square, which takes no gradients, misled {images} {} that the attacks with \
                 gradients had not, a sign of masked gradients",
                if *images == 1 { "image" } else { "images" }
            ),
            Self::AccuracyRemains { eps, accuracy } => write!(
                f,
                "at eps = {eps}, where every image may become any other, {:.0} % still keep their \
                 label: the attack fails, not the adversary",
                100. * accuracy
            ),
        }
    }
}
