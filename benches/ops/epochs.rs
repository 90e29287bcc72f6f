//! An epoch of the notebooks on rings and torus: loss, gradients and Adam on all points.

use isopath::Result;
use isopath::candle::{DType, Device};
use isopath::datasets::{RingsParams, TorusParams, entangled_rings, torus};
use isopath::experiments::isometry_torus::Settings;
use isopath::losses::Lil;
use isopath::models::{Activation, Gradient, LocallyIsometric, Mlp, Parameters};
use isopath::rng::Rng;
use isopath::scale::Scale;
use isopath::training::{Adam, AdamParams, step, step_stack};

use crate::Bench;

/// Runs the cases.
pub fn run(bench: &Bench) -> Result<()> {
    let rings = entangled_rings(&RingsParams::default())?;
    let parameters = Parameters::new();
    let builder = parameters.builder(&Rng::new(0), DType::F32, &Device::Cpu);
    let network = Mlp::new(&[3, 20, 20, 20, 20, 2], Activation::Tanh, builder)?;
    let mut adam = Adam::new(&parameters, AdamParams::default())?;
    let loss = Lil { beta: 1., ..Lil::default() };
    let epoch = || step(&network, &loss, &rings.points, &rings.labels, |gradients| adam.step(gradients)).map(drop);
    bench.case("epoch of the rings, local isometry, n=1000", epoch, None)?;

    let set = torus(&TorusParams::default())?;
    let settings = Settings::of(Scale::Default);
    let parameters = Parameters::new();
    let builder = parameters.builder(&Rng::new(0), DType::F32, &Device::Cpu);
    let stack = LocallyIsometric::new(&settings.shape(Gradient::Cut), builder)?;
    let mut adam = Adam::new(&parameters, AdamParams::default())?;
    let loss = settings.loss();
    let epoch = || step_stack(&stack, &loss, &set.points, &set.labels, |gradients| adam.step(gradients)).map(drop);
    bench.case("epoch of the torus, three layers, n=1600", epoch, None)
}
