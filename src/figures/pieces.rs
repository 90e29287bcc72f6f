//! The linear pieces of a network along a segment.

use std::collections::BTreeMap;

use super::{AxisScale, LineChart, Series};
use crate::checks::at_least_one;
use crate::error::{Error, Result};
use crate::paths::Pieces;

/// Parts of a segment that are drawn.
const PARTS: usize = 200;
/// Breakpoints that are drawn on either side of the smallest margin.
const AROUND: usize = 30;

impl Pieces {
    /// Charts the margin of a class along the segment: the smallest and the largest in each of 200
    /// equal parts, beside the values at the breakpoints nearest to `samples` + 1 equally distant
    /// samples.
    ///
    /// # Errors
    /// A class that the network does not have, or no samples.
    pub fn margin_chart(&self, class: u32, samples: usize) -> Result<LineChart> {
        at_least_one("samples", samples)?;
        let margins = self.margins(class)?;
        let mut parts: BTreeMap<usize, [f64; 2]> = BTreeMap::new();
        for (t, margin) in self.t.iter().zip(&margins) {
            let part = ((t * PARTS as f64) as usize).min(PARTS - 1);
            let [low, high] = parts.entry(part).or_insert([*margin; 2]);
            (*low, *high) = (low.min(*margin), high.max(*margin));
        }
        let x = parts.keys().map(|part| (*part as f64 + 0.5) / PARTS as f64);
        let (low, high): (Vec<f64>, Vec<f64>) = parts.values().map(|[a, b]| (*a, *b)).unzip();
        let nearest = |sample: usize| {
            let t = sample as f64 / samples as f64;
            let place = self.t.partition_point(|own| *own < t);
            place.min(self.t.len().saturating_sub(1))
        };
        let seen: Vec<usize> = (0..=samples).map(nearest).collect();
        let every = Series {
            name: "all pieces".into(),
            x: x.collect(),
            mean: low.clone(),
            low,
            high,
        };
        let seen = Series::line(
            format!("{} samples", samples + 1),
            &at(&seen, &self.t),
            &at(&seen, &margins),
        );
        Ok(LineChart {
            title: format!("The margin on {} pieces", self.t.len().saturating_sub(1)),
            x_label: "t".into(),
            y_label: "margin (logits)".into(),
            series: vec![every, seen],
            note: "Line: the smallest margin in each 200th; band: up to the largest.".into(),
            ..LineChart::default()
        })
    }

    /// Charts the margin of a class at every breakpoint around the smallest one.
    ///
    /// # Errors
    /// A class that the network does not have.
    pub fn margin_around(&self, class: u32) -> Result<LineChart> {
        let margins = self.margins(class)?;
        let smallest = (0..margins.len()).min_by(|a, b| margins[*a].total_cmp(&margins[*b]));
        let smallest = smallest.ok_or_else(|| Error::argument("pieces", "at least one", "none"))?;
        let end = (smallest + AROUND + 1).min(margins.len());
        let near: Vec<usize> = (smallest.saturating_sub(AROUND)..end).collect();
        let middle = self.t[smallest];
        let from_middle: Vec<f64> = near.iter().map(|at| self.t[*at] - middle).collect();
        Ok(LineChart {
            title: "Every piece around the smallest margin".into(),
            x_label: format!("t − {middle:.6}"),
            y_label: "margin (logits)".into(),
            series: vec![Series::line("margin", &from_middle, &at(&near, &margins))],
            ..LineChart::default()
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

/// The values at some places.
fn at(places: &[usize], values: &[f64]) -> Vec<f64> {
    let found = places.iter().filter_map(|place| values.get(*place));
    found.copied().collect()
}
