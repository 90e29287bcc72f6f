//! The energy along a band.

use super::{Figure, LineChart, Series, drawn};
use crate::error::Result;
use crate::paths::NebInfo;

drawn!(NebInfo);

impl NebInfo {
    /// Charts the energy over the distance from the start, along the straight line and along the
    /// band.
    pub fn profile(&self) -> LineChart {
        let curve = |name: &str, profile: &crate::paths::Profile| {
            Series::line(name, &profile.distance, &profile.energy)
        };
        LineChart {
            title: "The energy along the band".into(),
            x_label: "distance along the path".into(),
            y_label: "energy".into(),
            series: vec![
                curve("straight line", &self.before),
                curve("band", &self.after),
            ],
            note: format!("{}, {} iterations", self.outcome, self.iterations),
            ..LineChart::default()
        }
    }

    /// Draws [`NebInfo::profile`] as a figure.
    ///
    /// # Errors
    /// An energy that is not a number.
    pub fn figure(&self) -> Result<Figure> {
        self.profile().figure()
    }
}
