//! Values with lower and upper ends of their spread.

use super::axes::AxisScale;
use crate::error::{Error, Result};

/// Values, and the edges of a spread around them, which may both be missing.
pub struct Spread<'s> {
    /// What the values are called, and what they belong to.
    pub name: &'static str,
    pub owner: &'s str,
    pub values: &'s [f64],
    pub low: &'s [f64],
    pub high: &'s [f64],
}

impl<'s> Spread<'s> {
    /// # Errors
    /// Not `count` values, as `expected` says, or not as many edges, or only one edge.
    pub fn check(&self, count: usize, expected: impl Fn() -> String) -> Result<()> {
        for (name, values) in [
            (self.name, self.values),
            ("low", self.low),
            ("high", self.high),
        ] {
            if values.len() != count && (name == self.name || !values.is_empty()) {
                return Err(Error::argument(
                    name,
                    expected(),
                    format!("{} numbers", values.len()),
                ));
            }
        }
        if self.low.len() != self.high.len() {
            let got = format!("one in {:?}", self.owner);
            return Err(Error::argument(
                "low",
                "both edges of the spread or neither",
                got,
            ));
        }
        Ok(())
    }

    /// What an axis must reach for the values and their edges.
    pub fn reach(self, scale: AxisScale) -> impl Iterator<Item = f64> + 's {
        let edges = [self.low, self.high].map(|edge| self.values.iter().zip(edge));
        let edges = edges.into_iter().flatten();
        let edges = edges.map(move |(value, edge)| scale.reach(*value, *edge));
        self.values.iter().copied().chain(edges)
    }
}
