//! What a notebook spends its time on.
//!
//! The limit of the MNIST step: its matrix products are 50 million operations, 0.22 ms on two Zen 4
//! cores of 117 GFLOP/s each. `gemm` reaches 88 to 106 of these on one thread: 175 µs for 100×784
//! by 784×100, 148 for its gradient in the weights, 21 to 23 for each product of 100×100. On one
//! thread these are 0.50 ms of a step's 0.80; Adam takes 0.04, the isometric loss 0.04,
//! cross-entropy 3 µs with its gradient. What was tried there:
//! - `gemm`'s AVX-512 kernels (feature `x86-v4`) change nothing: this processor does their vectors
//!   in two halves.
//! - `gemm`'s own two threads, 175 µs → 165 to 340 (784 terms), 148 → 91 (100 terms), 23 → 19:
//!   hence `ops/linear/product.rs`.
//! - The weights' gradient by the kernel of `ops/linear/narrow.rs`, in two halves that are written in
//!   place: 30 µs slower.
//! - Halves by columns, of which `gemm` orders each number of W once instead of twice: as fast as
//!   by rows.
//!
//! A step of the 1-Lipschitz network has 61 million multiplications for the Gram matrix of its first weight, and as
//! many again twice for the gradient, which makes the matrix anew: `ops/linear/gram_sums.rs`.

use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::datasets::Dataset;
use isopath::device;
use isopath::losses::{CrossEntropy, IsometricLoss, Loss};
use isopath::models::{Activation, LipschitzMlp, Mlp, Model, Network};
use isopath::optimizers::{AdamParams, State};
use isopath::rng::Rng;
use isopath::training::step;

use crate::Bench;

/// Runs the cases.
pub fn run(bench: &Bench) -> Result<()> {
    training_step(
        bench,
        "mnist lil training step batch=100",
        &[784, 100, 100, 100, 100, 10],
        100,
        0.1,
    )?;
    training_step(
        bench,
        "rings lil training step n=1600",
        &[3, 20, 20, 20, 20, 2],
        1600,
        1.,
    )?;
    lipschitz_step(
        bench,
        "mnist 1-lipschitz training step batch=100",
        &[784, 100, 100, 100, 100, 10],
        100,
    )
}

/// One step of Adam on cross-entropy and isometric loss.
fn training_step(bench: &Bench, name: &str, sizes: &[usize], n: usize, beta: f64) -> Result<()> {
    let layers = sizes.to_vec();
    let network = Model::on(0, DType::F32, &device::best(), move |vb| {
        Mlp::new(&layers, Activation::Tanh, vb)
    })?;
    steps(
        bench,
        name,
        &network,
        &batch(sizes, n)?,
        &IsometricLoss::new(beta),
    )
}

/// One step of Adam on the cross-entropy of a network of almost orthogonal layers.
fn lipschitz_step(bench: &Bench, name: &str, sizes: &[usize], n: usize) -> Result<()> {
    let layers = sizes.to_vec();
    let network = Model::on(0, DType::F32, &device::best(), move |vb| {
        LipschitzMlp::new(&layers, Activation::Tanh, vb)
    })?;
    steps(bench, name, &network, &batch(sizes, n)?, &CrossEntropy)
}

/// Points that a network of these sizes takes, its classes one after another.
fn batch(sizes: &[usize], n: usize) -> Result<Dataset> {
    let device = device::best();
    let (inputs, classes) = (sizes[0], sizes[sizes.len() - 1]);
    let x = Rng::new(0)
        .stream("x")
        .uniform((n, inputs), 0., 1., DType::F32, &device)?;
    let labels = (0..n).map(|i| (i * classes / n) as u32).collect();
    Dataset::new(x, Tensor::from_vec(labels, n, &device)?)
}

/// Steps of Adam.
fn steps<N: Network + Clone + 'static>(
    bench: &Bench,
    name: &str,
    network: &Model<N>,
    batch: &Dataset,
    loss: &dyn Loss,
) -> Result<()> {
    let mut adam = State::new(AdamParams::default(), network.parameters().named())?;
    bench.case(
        name,
        || step(network, loss, batch, |gradients| adam.step(gradients)).map(drop),
        None,
    )
}
