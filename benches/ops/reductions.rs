//! Pooling and batch normalisation.

use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::device;
use isopath::ops::{batch_norm, batch_norm_composite, max_pool2d, max_pool2d_composite};
use isopath::rng::Rng;

use crate::Bench;

/// Runs the cases.
pub fn run(bench: &Bench) -> Result<()> {
    pooling(bench)?;
    normalisation(bench)
}

fn random(name: &str, shape: &[usize]) -> Result<Var> {
    Ok(Var::from_tensor(&Rng::new(0).stream(name).normal(
        shape,
        0.,
        1.,
        DType::F32,
        &device::best(),
    )?)?)
}

/// The gradient of Σ y·along, which costs a product more than that of y alone.
fn gradient(y: &Tensor, along: &Tensor) -> Result<()> {
    (y * along)?.sum_all()?.backward()?;
    Ok(())
}

/// The pool of a ResNet's stem.
fn pooling(bench: &Bench) -> Result<()> {
    let name = "max_pool2d n=8 c=64 h=112 k=3 s=2";
    if !bench.wants_any(name, &["fwd", "fwd+grad"]) {
        return Ok(());
    }
    let (x, along) = (
        random("x", &[8, 64, 112, 112])?,
        random("along", &[8, 64, 56, 56])?.as_detached_tensor(),
    );
    let data = x.as_detached_tensor();
    let mut composite = || max_pool2d_composite(&data, 3, 2, 1).map(drop);
    bench.case(
        &format!("{name} fwd"),
        || max_pool2d(&data, 3, 2, 1).map(drop),
        Some(&mut composite),
    )?;
    let mut composite = || gradient(&max_pool2d_composite(&x, 3, 2, 1)?, &along);
    bench.case(
        &format!("{name} fwd+grad"),
        || gradient(&max_pool2d(&x, 3, 2, 1)?, &along),
        Some(&mut composite),
    )
}

fn normalisation(bench: &Bench) -> Result<()> {
    let name = "batch_norm n=32 c=64 h=32";
    if !bench.wants_any(name, &["fwd", "fwd+grad"]) {
        return Ok(());
    }
    let shape = [32, 64, 32, 32];
    let (x, gamma, beta) = (
        random("x", &shape)?,
        random("gamma", &[64])?,
        random("beta", &[64])?,
    );
    let along = random("along", &shape)?.as_detached_tensor();
    let data = x.as_detached_tensor();
    let mut composite = || batch_norm_composite(&data, &gamma, &beta, 1e-5).map(drop);
    let fused = || batch_norm(&data, &gamma, &beta, 1e-5).map(drop);
    bench.case(&format!("{name} fwd"), fused, Some(&mut composite))?;
    let mut composite = || {
        gradient(
            &batch_norm_composite(&x, &gamma, &beta, 1e-5)?.output,
            &along,
        )
    };
    let fused = || gradient(&batch_norm(&x, &gamma, &beta, 1e-5)?.output, &along);
    bench.case(&format!("{name} fwd+grad"), fused, Some(&mut composite))
}
