//! One training step of the MNIST experiment: [784, 100, 100, 100, 100, 10], tanh, batch 100, α =
//! 1, β = 0.1, Adam.
//!
//! Prints `{"case", "ms"}`, the best of many steps on random data. `benches/notebook_speed.py` runs
//! this very source in a notebook's cell too.

use std::time::Instant;

use isopath::candle::{DType, Tensor};
use isopath::datasets::Dataset;
use isopath::device;
use isopath::losses::IsometricLoss;
use isopath::models::{Activation, Mlp, Model};
use isopath::optimizers::{AdamParams, State};
use isopath::rng::Rng;
use isopath::training::step;

fn main() -> isopath::Result<()> {
    let (rng, device) = (Rng::new(0), device::best());
    let network = Model::on(0, DType::F32, &device, |vb| {
        Mlp::new(&[784, 100, 100, 100, 100, 10], Activation::Tanh, vb)
    })?;
    let images = rng
        .stream("images")
        .uniform((100, 784), 0., 1., DType::F32, &device)?;
    let labels = Tensor::from_vec((0..100u32).map(|i| i % 10).collect(), 100, &device)?;
    let batch = Dataset::new(images, labels)?;
    let mut adam = State::new(AdamParams::default(), network.parameters().named())?;
    let mut best = f64::INFINITY;
    for _ in 0..2_000 {
        let start = Instant::now();
        step(&network, &IsometricLoss::default(), &batch, |gradients| {
            adam.step(gradients)
        })?;
        device.synchronize()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!(
        "{{\"case\": \"mnist lil training step batch=100\", \"ms\": {:.4}}}",
        best * 1e3
    );
    Ok(())
}
