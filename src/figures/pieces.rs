//! The linear pieces of a network along a segment.

use std::collections::BTreeMap;

use super::{AxisScale, LineChart, Panels, Series};
use crate::error::{Error, Result};
use crate::paths::Pieces;

/// Parts of a segment that are drawn.
const PARTS: usize = 200;
/// Breakpoints that are drawn on either side of the smallest margin.
const AROUND: usize = 30;

impl Pieces {
    /// Charts the margin of a class along the segment: on the left the smallest and the largest in each
    /// of 200 equal parts, with the values at `samples` + 1 equally distant breakpoints nearest to
    /// samples; on the right every breakpoint around the smallest margin.
    ///
    /// # Errors
    /// A class that the network does not have, or no samples.
    pub fn margin_panels(&self, class: u32, samples: usize) -> Result<Panels> {
        crate::checks::at_least_one("samples", samples)?;
        let margins = self.margins(class)?;
        let mut parts: BTreeMap<usize, [f64; 2]> = BTreeMap::new();
        for (t, margin) in self.t.iter().zip(&margins) {
            let part = ((t * PARTS as f64) as usize).min(PARTS - 1);
            let [low, high] = parts.entry(part).or_insert([*margin; 2]);
            (*low, *high) = (low.min(*margin), high.max(*margin));
        }
        let x: Vec<f64> = parts
            .keys()
            .map(|part| (*part as f64 + 0.5) / PARTS as f64)
            .collect();
        let (low, high): (Vec<f64>, Vec<f64>) = parts.values().map(|[a, b]| (*a, *b)).unzip();
        let seen: Vec<usize> = (0..=samples)
            .map(|sample| {
                let place = self
                    .t
                    .partition_point(|t| *t < sample as f64 / samples as f64);
                place.min(self.t.len().saturating_sub(1))
            })
            .collect();
        let at = |places: &[usize], values: &[f64]| -> Vec<f64> {
            places
                .iter()
                .filter_map(|place| values.get(*place))
                .copied()
                .collect()
        };
        let smallest = (0..margins.len()).min_by(|a, b| margins[*a].total_cmp(&margins[*b]));
        let smallest = smallest.ok_or_else(|| Error::argument("pieces", "at least one", "none"))?;
        let near: Vec<usize> =
            (smallest.saturating_sub(AROUND)..(smallest + AROUND + 1).min(margins.len())).collect();
        let middle = self.t[smallest];
        let from_middle: Vec<f64> = near.iter().map(|at| self.t[*at] - middle).collect();
        let chart = |title: String, x_label: String, series| LineChart {
            title,
            x_label,
            y_label: "margin (logits)".into(),
            series,
            ..LineChart::default()
        };
        Ok(Panels {
            title: "The margin along the segment".into(),
            columns: 2,
            charts: vec![
                chart(
                    format!("{} pieces", self.t.len().saturating_sub(1)),
                    "t".into(),
                    vec![
                        Series {
                            name: "all pieces".into(),
                            mean: low.clone(),
                            x,
                            low,
                            high,
                        },
                        Series::line(
                            format!("{} samples", samples + 1),
                            &at(&seen, &self.t),
                            &at(&seen, &margins),
                        ),
                    ],
                ),
                chart(
                    "Around the smallest margin".into(),
                    format!("t − {middle:.6}"),
                    vec![Series::line(
                        "all pieces",
                        &from_middle,
                        &at(&near, &margins),
                    )],
                ),
            ],
            note:
                "Left: the smallest margin in each 200th of the segment; band: up to the largest. \
                   Right: every breakpoint."
                    .into(),
        })
    }

    /// Charts how many breakpoints each stage of the network makes, along the segment: their number
    /// in each 50th of it.
    pub fn density(&self) -> LineChart {
        const BINS: usize = 50;
        let mut counts: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for (t, stage) in self.t.iter().zip(&self.stages) {
            if let Some(stage) = stage {
                let bin = ((t * BINS as f64) as usize).min(BINS - 1);
                counts.entry(*stage).or_insert_with(|| vec![0.; BINS])[bin] += 1.;
            }
        }
        let x: Vec<f64> = (0..BINS)
            .map(|bin| (bin as f64 + 0.5) / BINS as f64)
            .collect();
        let series = counts.iter().map(|(stage, counts)| {
            // A logarithmic axis has no 0.
            let some: Vec<usize> = (0..BINS).filter(|bin| counts[*bin] > 0.).collect();
            let of = |values: &[f64]| some.iter().map(|bin| values[*bin]).collect::<Vec<_>>();
            Series::line(format!("stage {stage}"), &of(&x), &of(counts))
        });
        LineChart {
            title: "Where each stage's units change".into(),
            x_label: "t".into(),
            y_label: "breakpoints in a 50th of the segment".into(),
            y_scale: AxisScale::Log,
            series: series.collect(),
            ..LineChart::default()
        }
    }
}
