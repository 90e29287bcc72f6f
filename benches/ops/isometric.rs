//! The isometric loss and its gradient in Φ.
//!
//! The limit: of each pair, every feature takes a multiply-add for the distance and one for each
//! point's gradient. That is 3·20 for sixteen pairs of 20 features in f32, and on two Zen 4 cores,
//! which do one such vector a cycle (0.274 ns measured) with subtractions beside them, 0.66 ms for
//! 1600 points. The kernel takes 99 cycles on one core where it could take 60: 47 for the value, 50
//! for the gradients. What was tried there:
//! - Without roots and divisions (10 and 6 cycles) it takes 96: they run beside the rest, so that
//!   an approximation with Newton steps gains nothing. Distances from Gram products would save only
//!   subtractions, which are free here, and need a guard against cancellation.
//! - Tiles of 64, 128, 256 points: 117, 101, 99 cycles.
//! - D_M given instead of computed from three features: 101 instead of 107 cycles. So
//!   `losses::IsometricLoss` computes it every step, even where the batch is always the same: given, it would be 10 MB to
//!   read for 1600 points.

use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::device;
use isopath::distances::{Distance, Euclidean};
use isopath::ops::{
    Distances, isometric, isometric_composite, isometric_to, isometric_to_composite,
};
use isopath::rng::Rng;

use crate::Bench;

/// Runs the cases.
pub fn run(bench: &Bench) -> Result<()> {
    // First, as a peak of memory is that of all that went before.
    let before = peak();
    [1_000, 2_000, 5_000, 10_000, 20_000]
        .into_iter()
        .try_for_each(|n| scaling(bench, n, before))?;
    for (n, d, classes) in [
        (1600, 20, 1),
        (1600, 20, 2),
        (1600, 20, 8),
        (6400, 20, 1),
        (100, 100, 10),
    ] {
        given(bench, n, d, classes)?;
    }
    images(bench)
}

/// D_M given as a matrix: the peer's cases.
fn given(bench: &Bench, n: usize, d: usize, classes: usize) -> Result<()> {
    let name = format!("isometric n={n} d={d} classes={classes} fwd+grad");
    if !bench.wants(&name) {
        return Ok(());
    }
    let (x, z) = (normal("x", n, 3)?, Var::from_tensor(&normal("z", n, d)?)?);
    let distances = Distances::from_matrix(&Euclidean.pairwise(&x)?)?;
    let cells: Vec<u32> = (0..n).map(|i| (i * classes / n) as u32).collect();
    let step = || backward(isometric_to(&distances, &z, &cells, &Euclidean)?);
    let mut composite = || backward(isometric_to_composite(&distances, &z, &cells, &Euclidean)?);
    // 6400 points would take 3 GB a tensor.
    bench.case(
        &name,
        step,
        if n > 2000 { None } else { Some(&mut composite) },
    )
}

/// A batch of MNIST: D_M from the images, then in the images' gradient too, as an attack on the
/// full loss needs it.
fn images(bench: &Bench) -> Result<()> {
    let (n, cells) = (100, (0..100).map(|i| i % 10).collect::<Vec<u32>>());
    let (x, z) = (
        Var::from_tensor(&normal("x", n, 784)?)?,
        Var::from_tensor(&normal("z", n, 100)?)?,
    );
    for (x, name) in [
        (x.as_detached_tensor(), "fwd+grad"),
        (x.as_tensor().clone(), "fwd+both grads"),
    ] {
        let step = || backward(isometric(&x, &z, &cells, &Euclidean)?);
        let mut composite = || backward(isometric_composite(&x, &z, &cells, &Euclidean)?);
        bench.case(
            &format!("isometric images n=100 d=100 classes=10 {name}"),
            step,
            Some(&mut composite),
        )?;
    }
    Ok(())
}

/// One class of points in three dimensions, D_M from the points; the peak of memory beyond
/// `before`.
fn scaling(bench: &Bench, n: usize, before: Option<f64>) -> Result<()> {
    let name = format!("isometric scaling n={n} d=20 classes=1 fwd+grad");
    if !bench.wants(&name) {
        return Ok(());
    }
    let (x, z) = (normal("x", n, 3)?, Var::from_tensor(&normal("z", n, 20)?)?);
    let cells = vec![0; n];
    bench.case(
        &name,
        || backward(isometric(&x, &z, &cells, &Euclidean)?),
        None,
    )?;
    if let (Some(before), Some(peak)) = (before, peak()) {
        println!(
            "{{\"case\": \"{name}\", \"peak_mb\": {:.1}}}",
            peak - before
        );
    }
    Ok(())
}

fn normal(name: &str, n: usize, width: usize) -> Result<Tensor> {
    Rng::new(0)
        .stream(name)
        .normal((n, width), 0., 1., DType::F32, &device::best())
}

fn backward(loss: Tensor) -> Result<()> {
    loss.backward()?;
    Ok(())
}

/// Megabytes that this process has held at most, where the system is Linux.
fn peak() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1e3)
}
