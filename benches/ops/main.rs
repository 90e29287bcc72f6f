//! The operations that the notebooks spend their time in.
//!
//! ```text
//! RAYON_NUM_THREADS=$(nproc) cargo bench --profile dev --bench ops [-- [--fused] part of a case's name]
//! ```
//!
//! prints `{"case", "ms", "composite_ms"}` a case, with the names of `benches/peers/torch_ops.py`;
//! `benches/compare.py` runs both. `composite_ms` is the time of the same work in plain candle
//! operations, null where that takes too long or too much memory, and with `--fused`. The dev
//! profile is the optimised one that the tests, the binary and the notebooks share.

mod convolutions;
mod epochs;
mod isometric;
mod networks;
mod reductions;
mod resnet;

use std::time::{Duration, Instant};

use isopath::Result;
use isopath::device;

fn main() -> Result<()> {
    // cargo itself adds `--bench`.
    let only = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'))
        .unwrap_or_default();
    let bench = Bench {
        only,
        fused: std::env::args().any(|argument| argument == "--fused"),
    };
    isometric::run(&bench)?;
    convolutions::run(&bench)?;
    reductions::run(&bench)?;
    networks::run(&bench)?;
    resnet::run(&bench)?;
    epochs::run(&bench)
}

/// Times cases and prints them.
pub struct Bench {
    only: String,
    /// Without the composites.
    fused: bool,
}

impl Bench {
    /// Whether a case is asked for.
    pub fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }

    /// Whether one of the cases of `name` is asked for: its data are then worth drawing.
    pub fn wants_any(&self, name: &str, cases: &[&str]) -> bool {
        cases
            .iter()
            .any(|case| self.wants(&format!("{name} {case}")))
    }

    /// Times `step`, and `composite` if given, unless the case is not asked for.
    pub fn case(
        &self,
        name: &str,
        step: impl FnMut() -> Result<()>,
        composite: Option<&mut dyn FnMut() -> Result<()>>,
    ) -> Result<()> {
        if !self.wants(name) {
            return Ok(());
        }
        let ms = best(step)?;
        let composite = composite
            .filter(|_| !self.fused)
            .map(best)
            .transpose()?
            .map_or("null".to_string(), |ms| format!("{ms:.3}"));
        println!("{{\"case\": \"{name}\", \"ms\": {ms:.3}, \"composite_ms\": {composite}}}");
        Ok(())
    }
}

/// Milliseconds: the best of seven runs or of as many as half a second holds, after one to warm up.
fn best(mut step: impl FnMut() -> Result<()>) -> Result<f64> {
    let device = device::best();
    // A GPU answers before it has computed.
    let mut step = || -> Result<()> {
        step()?;
        Ok(device.synchronize()?)
    };
    step()?;
    let (begin, mut best, mut runs) = (Instant::now(), f64::INFINITY, 0);
    while runs < 7 || begin.elapsed() < Duration::from_millis(500) {
        let start = Instant::now();
        step()?;
        best = best.min(start.elapsed().as_secs_f64());
        runs += 1;
    }
    Ok(best * 1e3)
}
