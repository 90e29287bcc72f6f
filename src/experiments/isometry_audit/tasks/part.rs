//! The kinds of parts, and what they need.

use serde::{Deserialize, Serialize};

use crate::attacks::Norm;

/// A part of the experiment; a method is told by the name of its files.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub(super) enum AuditPart {
    Train {
        method: String,
        seed: u64,
    },
    /// AutoAttack at every radius of a norm.
    Autoattack {
        method: String,
        seed: u64,
        norm: Norm,
    },
    /// All else that the audit finds.
    Others {
        method: String,
        seed: u64,
    },
    /// Near the boundary and far from it, on images.
    NearAndFar {
        method: String,
        seed: u64,
    },
    /// The same of one of the small networks.
    Small {
        number: usize,
    },
}

impl AuditPart {
    /// The training whose network it reads.
    pub fn network(&self) -> Option<Self> {
        match self {
            Self::Train { .. } | Self::Small { .. } => None,
            Self::Autoattack { method, seed, .. }
            | Self::Others { method, seed }
            | Self::NearAndFar { method, seed } => Some(Self::Train {
                method: method.clone(),
                seed: *seed,
            }),
        }
    }

    pub fn seed(&self) -> u64 {
        match self {
            Self::Small { .. } => 0,
            Self::Train { seed, .. }
            | Self::Autoattack { seed, .. }
            | Self::Others { seed, .. }
            | Self::NearAndFar { seed, .. } => *seed,
        }
    }
}
