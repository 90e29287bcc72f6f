//! An epoch of the notebooks on rings and torus: loss, gradients and Adam on all points, by the
//! functions that train them.
//!
//! On one thread 0.54 of a ring epoch's 0.85 ms are the pairs of the isometric loss (`isometric.rs`
//! has their limit), 0.1 the outputs, 0.04 of these tanh, 0.14 the gradients, 0.01 cross-entropy
//! with its gradient. Candle adds each gradient to zeros, some 0.03. On two threads the outputs of
//! one layer are too short to share (0.10 → 0.09 in halves), those of a torus' three layers are
//! followed side by side: 4.4 ms → 2.6.

use isopath::Result;
use isopath::candle::DType;
use isopath::datasets::{RingsParams, TorusParams, entangled_rings, torus};
use isopath::device;
use isopath::losses::IsometricLoss;
use isopath::models::{Activation, LocallyIsometric, LocallyIsometricParams, Mlp, Model};
use isopath::optimizers::{AdamParams, State};
use isopath::training::{step, step_stack};

use crate::Bench;

/// Runs the cases.
pub fn run(bench: &Bench) -> Result<()> {
    let rings = entangled_rings(&RingsParams::default())?.dataset()?;
    let network = Model::on(0, DType::F32, &device::best(), |vb| {
        Mlp::new(&[3, 20, 20, 20, 20, 2], Activation::Tanh, vb)
    })?;
    let mut adam = State::new(AdamParams::default(), network.parameters().named())?;
    let loss = IsometricLoss::new(1.);
    let epoch = || step(&network, &loss, &rings, |gradients| adam.step(gradients)).map(drop);
    bench.case("epoch of the rings, local isometry, n=1000", epoch, None)?;

    let levels = torus(&TorusParams::default())?.levels()?;
    // The experiment's stack and loss.
    let shape = LocallyIsometricParams {
        classes: TorusParams::default().regions,
        ..LocallyIsometricParams::default()
    };
    let stack = Model::on(0, DType::F32, &device::best(), move |vb| {
        LocallyIsometric::new(&shape, vb)
    })?;
    let mut adam = State::new(AdamParams::default(), stack.parameters().named())?;
    let loss = IsometricLoss::new(100.);
    let epoch = || step_stack(&stack, &levels, &loss, |gradients| adam.step(gradients)).map(drop);
    bench.case("epoch of the torus, three layers, n=1600", epoch, None)
}
