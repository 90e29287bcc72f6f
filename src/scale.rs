//! The scale of a run: one notebook for a check, a laptop, and many cores or a GPU.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// The size at which a notebook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// The size for a check: a few minutes, to show that everything works; its numbers mean little.
    Quick,
    /// The size for a laptop's CPU: 4 to 14 minutes for a notebook on images.
    Default,
    /// The size of the papers: for many cores, or a GPU.
    Paper,
}

impl Scale {
    /// The environment variable that names the scale.
    pub const VARIABLE: &str = "ISOPATH_SCALE";

    /// The scale that `ISOPATH_SCALE` names, `default` when it is not set.
    ///
    /// # Errors
    /// A name that is not `quick`, `default` or `paper`.
    pub fn from_env() -> Result<Self> {
        match std::env::var(Self::VARIABLE) {
            Ok(name) => name.parse(),
            Err(_) => Ok(Self::Default),
        }
    }

    /// Chooses one of three values, by scale.
    pub fn pick<T>(self, quick: T, default: T, paper: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Default => default,
            Self::Paper => paper,
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.pick("quick", "default", "paper"))
    }
}

impl FromStr for Scale {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        [Self::Quick, Self::Default, Self::Paper]
            .into_iter()
            .find(|scale| scale.to_string() == name)
            .ok_or_else(|| Error::argument("scale", "quick, default or paper", format!("{name:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_others_are_refused() {
        for scale in [Scale::Quick, Scale::Default, Scale::Paper] {
            assert_eq!(scale.to_string().parse::<Scale>().unwrap(), scale);
        }
        let error = "huge".parse::<Scale>().unwrap_err().to_string();
        assert_eq!(error, "scale is \"huge\"; expected quick, default or paper");
    }
}
