//! ResNet-50: answers and input gradients on 224×224 pixels, and a training step of the network for
//! CIFAR-10.

use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::datasets::Dataset;
use isopath::device;
use isopath::experiments::cifar10::{self, Settings};
use isopath::losses::{LabelSmoothing, Loss, cross_entropy};
use isopath::models::{Model, Network, ResNet, ResNetParams};
use isopath::optimizers::{SgdParams, State};
use isopath::rng::Rng;

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
        let step = || {
            Ok(
                (cross_entropy(&network.forward(&variable)?, &labels)? * 8.)?
                    .backward()
                    .map(drop)?,
            )
        };
        bench.case(gradient, step, None)?;
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
        let step = || {
            Ok(
                (cross_entropy(&network.forward(&variable)?, &labels)? * 64.)?
                    .backward()
                    .map(drop)?,
            )
        };
        bench.case(gradient, step, None)?;
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
            || sgd.step(&loss.loss(&network, &batch)?.backward()?),
            None,
        )?;
    }
    Ok(())
}

fn pixels(shape: &[usize]) -> Result<Tensor> {
    Rng::new(1).uniform(shape, 0., 1., DType::F32, &device::best())
}
