//! An epoch of the notebooks on rings and torus: loss, gradients and Adam on all points, by the
//! functions that train them.
//!
//! On one thread 0.54 of a ring epoch's 0.85 ms are the pairs of the isometric loss (`isometric.rs`
//! has their limit), 0.1 the outputs, 0.04 of these tanh, 0.14 the gradients, 0.01 cross-entropy
//! with its gradient. Candle adds each gradient to zeros, some 0.03. On two threads the outputs of
//! one layer are too short to share (0.10 → 0.09 in halves), those of a torus' three layers are
//! followed side by side: 4.4 ms → 2.6.

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
    let loss = Lil {
        beta: 1.,
        ..Lil::default()
    };
    let epoch = || {
        step(&network, &loss, &rings.points, &rings.labels, |gradients| {
            adam.step(gradients)
        })
        .map(drop)
    };
    bench.case("epoch of the rings, local isometry, n=1000", epoch, None)?;

    let set = torus(&TorusParams::default())?;
    let settings = Settings::of(Scale::Default);
    let parameters = Parameters::new();
    let builder = parameters.builder(&Rng::new(0), DType::F32, &Device::Cpu);
    let stack = LocallyIsometric::new(&settings.shape(Gradient::Cut), builder)?;
    let mut adam = Adam::new(&parameters, AdamParams::default())?;
    let loss = settings.loss();
    let epoch = || {
        step_stack(&stack, &loss, &set.points, &set.labels, |gradients| {
            adam.step(gradients)
        })
        .map(drop)
    };
    bench.case("epoch of the torus, three layers, n=1600", epoch, None)
}
