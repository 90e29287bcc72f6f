//! An epoch of the notebooks on rings and torus: loss, gradients and Adam on all points.

use isopath::Result;
use isopath::candle::{DType, Device};
use isopath::datasets::{RingsParams, TorusParams, entangled_rings, torus};
use isopath::experiments::isometry_torus::Settings;
use isopath::losses::{Lil, Loss as _};
use isopath::models::{Activation, Gradient, LocallyIsometric, Mlp, Parameters};
use isopath::rng::Rng;
use isopath::scale::Scale;
use isopath::training::{Adam, AdamParams, stack_terms};

use crate::Bench;

/// Runs the cases.
pub fn run(bench: &Bench) -> Result<()> {
    let rings = entangled_rings(&RingsParams::default())?;
    let parameters = Parameters::new();
    let builder = parameters.builder(&Rng::new(0), DType::F32, &Device::Cpu);
    let network = Mlp::new(&[3, 20, 20, 20, 20, 2], Activation::Tanh, builder)?;
    let mut adam = Adam::new(&parameters, AdamParams::default())?;
    let loss = Lil { beta: 1., ..Lil::default() };
    let epoch = || adam.step(&loss.terms(&network, &rings.points, &rings.labels)?.loss.backward()?);
    bench.case("epoch of the rings, local isometry, n=1000", epoch, None)?;

    let set = torus(&TorusParams::default())?;
    let settings = Settings::of(Scale::Default);
    let parameters = Parameters::new();
    let builder = parameters.builder(&Rng::new(0), DType::F32, &Device::Cpu);
    let stack = LocallyIsometric::new(&settings.shape(Gradient::Cut), builder)?;
    let mut adam = Adam::new(&parameters, AdamParams::default())?;
    let epoch = || {
        let terms = stack_terms(&stack, &settings.loss(), &set.points, &set.labels)?;
        let [first, second, third] = [0, 1, 2].map(|layer| &terms[layer].loss);
        adam.step(&((first + second)? + third)?.backward()?)
    };
    bench.case("epoch of the torus, three layers, n=1600", epoch, None)
}
