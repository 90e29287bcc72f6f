//! How far the pieces that were found are from the network itself.

use super::program::Program;

/// Points of a segment at which its pieces are compared with the network.
pub(super) struct Residual {
    /// The points in order, and the number of those that have gone by.
    times: Vec<f64>,
    gone: usize,
    before: Option<(f64, Vec<f64>)>,
    interpolated: Vec<Vec<f64>>,
}

impl Residual {
    /// At these points, numbers in [0, 1).
    pub fn at(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self {
            times,
            gone: 0,
            before: None,
            interpolated: Vec::new(),
        }
    }

    /// Takes the next breakpoint.
    pub fn pass(&mut self, t: f64, logits: &[f64]) {
        if let Some((start, before)) = &self.before {
            while let Some(time) = self.times.get(self.gone).filter(|time| **time < t) {
                let share = (time - start) / (t - start);
                let pairs = before.iter().zip(logits);
                let between = pairs.map(|(a, b)| (1. - share) * a + share * b);
                self.interpolated.push(between.collect());
                self.gone += 1;
            }
        }
        if self.gone < self.times.len() {
            let (start, before) = self.before.get_or_insert_default();
            *start = t;
            before.clear();
            before.extend_from_slice(logits);
        }
    }

    /// The largest difference over the largest logit at the points that have gone by; 0 for none.
    pub fn measure(&self, program: &Program, ends: &[Vec<f64>; 2], chunk: usize) -> f64 {
        let (mut apart, mut size) = (0f64, 0f64);
        let size_of_point = ends[0].len();
        let passed = self
            .times
            .chunks(chunk)
            .zip(self.interpolated.chunks(chunk));
        for (times, interpolated) in passed {
            let count = interpolated.len();
            let mut points = vec![0.; count * size_of_point];
            for (point, t) in points.chunks_mut(size_of_point).zip(times) {
                program.rows.between(&ends[0], &ends[1], *t, point);
            }
            let logits = program.logits(&points, count);
            for (a, b) in logits.iter().zip(interpolated.iter().flatten()) {
                apart = apart.max((a - b).abs());
                size = size.max(a.abs());
            }
        }
        if apart > 0. { apart / size } else { 0. }
    }
}
