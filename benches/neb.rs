//! One iteration of nudged elastic bands on a residual network for CIFAR-10, in the three spaces of
//! the *connectivity* paper.
//!
//! ```text
//! CANDLE_NUM_THREADS=1 RAYON_NUM_THREADS=$(nproc) cargo bench --bench neb [-- part of a case's name]
//! ```
//!
//! prints `{"case", "ms", "algebra_ms"}` a case, with the names of `benches/peers/torch_neb.py`;
//! `benches/compare.py --suite neb` runs both. `algebra_ms` is what forces, optimiser and copies
//! take of it, everything but the network.

use std::time::{Duration, Instant};

use isopath::Result;
use isopath::candle::Tensor;
use isopath::device;
use isopath::experiments::cifar10;
use isopath::experiments::connectivity_cifar10::Space;
use isopath::models::Network as _;
use isopath::paths::{Energy, EnergyValues, NebParams, NetworkEnergy, Optimizer, Stop, neb};
use isopath::rng::Rng;

const BANDS: usize = 8;
const PIVOTS: usize = 8;
/// Iterations that are timed.
const ITERATIONS: usize = 4;

fn main() -> Result<()> {
    // cargo itself adds `--bench`.
    let only = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'))
        .unwrap_or_default();
    let network = cifar10::build(&cifar10::Settings::default(), &device::best())?.frozen()?;
    let image = |name: &str| {
        Rng::new(0).stream(name).uniform(
            (BANDS, 3, 32, 32),
            0.,
            1.,
            isopath::candle::DType::F32,
            &device::best(),
        )
    };
    let (starts, ends) = (image("starts")?, image("ends")?);
    for space in Space::ALL {
        let name = space.name();
        let case = format!("neb iteration space={name} bands={BANDS} pivots={PIVOTS}");
        if !case.contains(&only) {
            continue;
        }
        let representation = space.representation();
        let starts = representation.of(network.as_ref(), &starts)?;
        let ends = representation.of(network.as_ref(), &ends)?;
        let timed = |energy: &dyn Energy| -> Result<f64> {
            Ok(
                (best(energy, &starts, &ends, 1 + ITERATIONS)? - best(energy, &starts, &ends, 1)?)
                    / ITERATIONS as f64,
            )
        };
        let energy = NetworkEnergy::new(network.as_ref(), representation, &[0; BANDS])?;
        let whole = timed(&energy)?;
        let algebra = timed(&Free)?;
        println!("{{\"case\": \"{case}\", \"ms\": {whole:.3}, \"algebra_ms\": {algebra:.3}}}");
    }
    Ok(())
}

/// Milliseconds of so many iterations: the best of three runs or of as many as two seconds hold.
fn best(energy: &dyn Energy, starts: &Tensor, ends: &Tensor, iterations: usize) -> Result<f64> {
    let params = NebParams {
        pivots: PIVOTS,
        optimizer: Optimizer::adam(0.01),
        stop: Stop::Force(1e-300),
        max_iterations: iterations,
        samples_per_segment: 1,
        ..NebParams::default()
    };
    let (begin, mut best, mut runs) = (Instant::now(), f64::INFINITY, 0);
    while runs < 3 || begin.elapsed() < Duration::from_secs(2) {
        let start = Instant::now();
        neb(energy, starts, ends, &params)?;
        best = best.min(start.elapsed().as_secs_f64());
        runs += 1;
    }
    Ok(best * 1e3)
}

/// Costs nothing, so that what remains is the band's own work.
struct Free;

impl Energy for Free {
    fn values(&self, _: &Tensor, bands: &[usize]) -> Result<EnergyValues> {
        let energy: Vec<f64> = (0..bands.len()).map(|at| (at as f64).sin()).collect();
        Ok(EnergyValues {
            margin: energy.clone(),
            energy,
        })
    }

    fn values_and_gradients(
        &self,
        points: &Tensor,
        bands: &[usize],
    ) -> Result<(EnergyValues, Tensor)> {
        Ok((self.values(points, bands)?, points.clone()))
    }
}
