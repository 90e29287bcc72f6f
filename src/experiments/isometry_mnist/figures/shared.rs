//! Helpers of the figures.

use crate::figures::{BarChart, BarStyle};

/// `β = 0.1` for each weight.
pub fn names(betas: &[f64]) -> Vec<String> {
    betas.iter().map(|beta| format!("β = {beta}")).collect()
}

/// What is shown of these seeds: the mean, with `spread` for the standard deviation, of several.
pub fn seeds_note(seeds: &[u64], spread: &str) -> String {
    match seeds {
        [seed] => format!("Seed {seed}."),
        _ => format!("Mean over the seeds {seeds:?}; {spread}: ± one standard deviation."),
    }
}

/// A chart of dots over β, without its series.
pub fn over_betas(betas: &[f64], seeds: &[u64]) -> BarChart {
    BarChart {
        x_label: "weight of the isometric loss".into(),
        groups: names(betas),
        style: BarStyle::Dots,
        note: seeds_note(seeds, "bars"),
        ..BarChart::default()
    }
}
