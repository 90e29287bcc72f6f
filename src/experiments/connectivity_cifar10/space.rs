//! The spaces that paths run through.

use serde::{Deserialize, Serialize};

use crate::models::{Representation, ResNet};

/// A space that paths run through: one of the three of the *connectivity* paper's section 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// The input space: pixels in [0, 1].
    Input,
    /// The output of the first residual stage, the paper's "first hidden layer".
    FirstStage,
    /// The pooled features, the paper's "last layer".
    Last,
}

impl Space {
    /// All three spaces, in the order of the network.
    pub const ALL: [Self; 3] = [Self::Input, Self::FirstStage, Self::Last];

    /// The representation of a [`ResNet`] that the space's points are.
    pub fn representation(self) -> Representation {
        match self {
            Self::Input => Representation::Input,
            Self::FirstStage => ResNet::FIRST_RESIDUAL_STAGE,
            Self::Last => ResNet::POOLED,
        }
    }

    /// The name of the space in files: `input`, `first_stage` or `last`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::FirstStage => "first_stage",
            Self::Last => "last",
        }
    }

    /// The name of the space in figures: `pixels`, `first stage` or `last layer`.
    pub fn title(self) -> &'static str {
        match self {
            Self::Input => "pixels",
            Self::FirstStage => "first stage",
            Self::Last => "last layer",
        }
    }
}
