//! What a notebook spends its time on.

use isopath::Result;
use isopath::candle::{DType, Device, Tensor};
use isopath::losses::{Lil, Loss};
use isopath::models::{Activation, Mlp, Parameters};
use isopath::rng::Rng;
use isopath::training::{Adam, AdamParams};

use crate::Bench;

/// Runs the cases.
pub fn run(bench: &Bench) -> Result<()> {
    training_step(bench, "mnist lil training step batch=100", &[784, 100, 100, 100, 100, 10], 100, 0.1)?;
    training_step(bench, "rings lil training step n=1600", &[3, 20, 20, 20, 20, 2], 1600, 1.)
}

/// One step of Adam on cross-entropy and isometric loss.
fn training_step(bench: &Bench, name: &str, sizes: &[usize], n: usize, beta: f64) -> Result<()> {
    let (rng, device) = (Rng::new(0), Device::Cpu);
    let parameters = Parameters::new();
    let network = Mlp::new(sizes, Activation::Tanh, parameters.builder(&rng, DType::F32, &device))?;
    let (inputs, classes) = (sizes[0], sizes[sizes.len() - 1]);
    let x = rng.stream("x").uniform((n, inputs), 0., 1., DType::F32, &device)?;
    let labels = Tensor::from_vec((0..n).map(|i| (i * classes / n) as u32).collect(), n, &device)?;
    let mut adam = Adam::new(&parameters, AdamParams::default())?;
    let loss = Lil { beta, ..Lil::default() };
    let step = || adam.step(&loss.loss(&network, &x, &labels)?.backward()?);
    bench.case(name, step, None)
}
