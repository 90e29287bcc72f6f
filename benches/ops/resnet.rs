//! ResNet-50: answers and input gradients on 224×224 pixels, and a training step of the network for
//! CIFAR-10.
//!
//! # What a training step of width 16 spends its time on
//! Two Zen 4 cores of 117 GFLOP/s each, AVX-512, 128 images: 405 to 420 ms, 558 before what follows. Of these 64 % are
//! convolutions, which are at the processor's limit: 26 billion operations in their tiles (78 % of this time in the
//! innermost loop, at 220 GFLOP/s), 15 billion in the sums for the weights (190 GFLOP/s), and Winograd's. The rest
//! goes over memory, 2 GB read and 1.2 GB written: a normalisation needs the whole batch before it can go on, so a
//! unit's result lies in memory before it is normalised, and again before its gradient is known. What was tried:
//! - The gradient of 3×3 weights by Winograd's transforms: 24 % of the time in sums for weights → 17 and 4 %.
//! - A step on a thread of the pool (`training::step`), where 250 parts of it need no hand-over: 10 ms.
//! - Vectors that are listed where they are made, in place of an array of zeros that a loop fills: Winograd's
//!   transforms no longer call `memset`, 1 %.
//! - Normalisation and its gradients in the order of memory, instead of by vectors of channels: 654 → 520 ms.
//! - Memory that is not first filled with zeros: 35 ms. Where results were copied into fresh memory instead, the copies
//!   took as long as the zeros; so a network keeps the memory of its last step.
//! - All stages as one operation, without channels one after another between them: 25 ms.
//! - Half as many images at a time (50,000 numbers of input and result, where more arrays than these two share the
//!   second cache): 15 ms.
//! - A ReLU's gradient by a choice that is stored where its number was read: the compiler makes stores under a mask
//!   of it, each of which costs a dozen others on AVX2 (`planes::kept`), 20 ms there.
//! - A gradient that is added to another in memory, where the tiles read it, in place of a copy before: 25 ms slower,
//!   since they wait for memory that a copy reads ahead. To read each line of what will be written first gains 1 %.
//! - Without effect: half and twice as many tiles, or twice as many images, at a time; rows of four pixels at a time
//!   in the normalisation; the pixels of several small images together in the sums for the weights. Stores
//!   around the caches gain 12 ms where results are copied, but are x86's alone.

use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::datasets::Dataset;
use isopath::device;
use isopath::experiments::cifar10::{self, Settings};
use isopath::losses::{LabelSmoothing, cross_entropy};
use isopath::models::{Model, Network, ResNet, ResNetParams};
use isopath::optimizers::{SgdParams, State};
use isopath::rng::Rng;
use isopath::training::step;

use crate::Bench;

pub fn run(bench: &Bench) -> Result<()> {
    let (forward, gradient) = (
        "resnet50 224 batch=8 fwd",
        "resnet50 224 batch=8 fwd+input-grad",
    );
    if bench.wants(forward) || bench.wants(gradient) {
        let params = ResNetParams::of_depth(50)?;
        let network = Model::on(0, DType::F32, &device::best(), move |vb| {
            ResNet::new(params.clone(), vb)
        })?
        .frozen()?;
        let images = pixels(&[8, 3, 224, 224])?;
        let variable = Var::from_tensor(&images)?;
        let labels = Tensor::zeros(8, DType::U32, &device::best())?;
        bench.case(forward, || network.forward(&images).map(drop), None)?;
        let input_gradient = || {
            Ok(
                (cross_entropy(&network.forward(&variable)?, &labels)? * 8.)?
                    .backward()
                    .map(drop)?,
            )
        };
        bench.case(gradient, input_gradient, None)?;
    }
    let (answers, gradient) = (
        "resnet50 width=16 cifar answers batch=128",
        "resnet50 width=16 cifar answers+input-grad batch=64",
    );
    if bench.wants(answers) || bench.wants(gradient) {
        let network = cifar10::build(&Settings::default(), &device::best())?.frozen()?;
        let images = pixels(&[128, 3, 32, 32])?;
        bench.case(answers, || network.forward(&images).map(drop), None)?;
        let variable = Var::from_tensor(&images.narrow(0, 0, 64)?)?;
        let labels = Tensor::zeros(64, DType::U32, &device::best())?;
        let input_gradient = || {
            Ok(
                (cross_entropy(&network.forward(&variable)?, &labels)? * 64.)?
                    .backward()
                    .map(drop)?,
            )
        };
        bench.case(gradient, input_gradient, None)?;
    }
    let training = "resnet50 width=16 cifar training step batch=128";
    if bench.wants(training) {
        let settings = Settings::default();
        let network = cifar10::build(&settings, &device::best())?;
        let mut sgd = State::new(SgdParams::default(), network.parameters().named())?;
        let images = pixels(&[128, 3, 32, 32])?;
        let labels = Tensor::from_iter((0..128).map(|i| i % 10u32), &device::best())?;
        let batch = Dataset::new(images, labels)?;
        let loss = LabelSmoothing {
            smoothing: settings.label_smoothing,
        };
        bench.case(
            training,
            || step(&network, &loss, &batch, |gradients| sgd.step(gradients)).map(drop),
            None,
        )?;
    }
    Ok(())
}

fn pixels(shape: &[usize]) -> Result<Tensor> {
    Rng::new(1).uniform(shape, 0., 1., DType::F32, &device::best())
}
