//! Figures of APGD, step by step.

use crate::attacks::Way;
use crate::error::{Error, Result};
use crate::figures::{AxisScale, LineChart, Panels, Series};

/// Charts the loss and the step size of some images under APGD.
///
/// # Errors
/// No way, or ways and names that are not as many.
pub fn way_panels(names: &[&str], ways: &[Way]) -> Result<Panels> {
    if ways.is_empty() || names.len() != ways.len() {
        let got = format!("{} names, {} ways", names.len(), ways.len());
        return Err(Error::argument(
            "ways",
            "at least one, each with a name",
            got,
        ));
    }
    let chart = |title: &str, y_scale, of: fn(&Way) -> &[f64], first: usize| {
        let series = names.iter().zip(ways).map(|(name, way)| {
            let values = of(way);
            let steps: Vec<f64> = (0..values.len())
                .map(|step| (step + first) as f64)
                .collect();
            Series::line(*name, &steps, values)
        });
        LineChart {
            title: title.into(),
            x_label: "step".into(),
            y_label: title.into(),
            y_scale,
            series: series.collect(),
            ..LineChart::default()
        }
    };
    Ok(Panels {
        title: "APGD, step by step".into(),
        columns: 2,
        charts: vec![
            chart("loss", AxisScale::Linear, |way| &way.loss, 0),
            chart(
                "step size η (pixel units)",
                AxisScale::Log,
                |way| &way.step_size,
                1,
            ),
        ],
        note: String::new(),
    })
}
