//! The library on a GPU beside the CPU: the same seed learns the same network, and what is then asked of
//! it has the same answer.
//!
//! ```text
//! cargo test --features cuda --lib --test cuda --test composite_twins
//! ```
//!
//! Without the feature there is nothing here to run; with it, a machine without a GPU fails.
#![cfg(feature = "cuda")]

mod common;

use common::{CPU, assert_close, values, weights};
use isopath::Result;
use isopath::attacks::RobustEvaluation;
use isopath::candle::Var;
use isopath::experiments::cifar10::{self, Settings};
use isopath::losses::cross_entropy;
use isopath::paths::{ExactParams, PiecewiseLinear, exact};
use isopath::prelude::*;

/// The GPU, and the CPU beside it.
fn devices() -> [Device; 2] {
    assert!(device::best().is_cuda(), "there is no GPU");
    [device::best(), CPU.clone()]
}

fn rings(device: &Device) -> Result<Dataset> {
    let points = RingsParams {
        points: 200,
        ..RingsParams::default()
    };
    datasets::entangled_rings(&points)?
        .dataset()?
        .to_device(device)
}

fn untrained(seed: u64, device: &Device) -> Result<Model<Mlp>> {
    Model::on(seed, DType::F32, device, |vb| {
        Mlp::new(&[3, 20, 20, 2], Activation::Tanh, vb)
    })
}

fn trained(device: &Device) -> Result<Model<Mlp>> {
    let network = untrained(0, device)?;
    let params = TrainParams {
        epochs: 30,
        batch_size: 50,
        progress: Progress::Hidden,
        ..TrainParams::default()
    };
    train(&network, &rings(device)?, &IsometricLoss::new(1.), &params)?;
    Ok(network)
}

#[test]
fn the_gpu_is_opened_once() {
    let [gpu, _] = devices();
    assert!(gpu.same_device(&device::best()));
}

#[test]
fn a_tensor_goes_from_one_thread_to_another() -> Result<()> {
    let [gpu, _] = devices();
    for round in 0..50u32 {
        let made = std::thread::scope(|scope| {
            let make = || -> Result<Tensor> {
                let big = Tensor::arange(0f32, 1_000_000., &device::best())?;
                Ok((big.sin()?.sqr()? + Tensor::full(round as f32, 1_000_000, &gpu)?)?)
            };
            scope.spawn(make).join().unwrap()
        })?;
        // sin² + cos² = 1.
        let rest = Tensor::arange(0f32, 1_000_000., &gpu)?.cos()?.sqr()?;
        let sum = (made + rest)?;
        let range = [sum.min_all()?, sum.max_all()?].map(|t| values(&t)[0]);
        assert_close(&range, &[f64::from(round) + 1.; 2], 1e-4);
    }
    Ok(())
}

#[test]
fn one_seed_learns_one_network() -> Result<()> {
    let [gpu, cpu] = devices().map(|device| trained(&device));
    let (gpu, cpu) = (weights(gpu?.parameters()), weights(cpu?.parameters()));
    // 120 steps of Adam, each of at most 0.001: sums in another order change little of it.
    assert_close(&gpu, &cpu, 2e-3);
    let again = std::thread::spawn(|| trained(&device::best()).map(|n| weights(n.parameters())));
    assert_eq!(again.join().unwrap()?, gpu);
    Ok(())
}

#[test]
fn weights_go_from_one_device_to_the_other_in_a_file() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("network.safetensors");
    let [gpu, cpu] = devices();
    let network = trained(&gpu)?;
    network.save(&file)?;
    let other = untrained(1, &cpu)?.load(&file)?;
    assert_eq!(weights(other.parameters()), weights(network.parameters()));
    Ok(())
}

#[test]
fn attacks_and_paths_end_where_they_do_on_the_cpu() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("network.safetensors");
    trained(CPU)?.save(&file)?;
    let found = devices().map(|device| -> Result<_> {
        // The same network, to the bit.
        let network = untrained(0, &device)?.load(&file)?;
        let data = rings(&device)?;
        let attack = AutoAttack {
            steps: 10,
            queries: 50,
            bounds: None,
            progress: Progress::Hidden,
            ..AutoAttack::default()
        };
        let robust: RobustEvaluation = attack.evaluate(&network, &data, 0.3)?;
        let pair = data.of_class("ring A")?.first(2)?;
        let params = ConnectParams {
            progress: Progress::Hidden,
            ..ConnectParams::default()
        };
        let path = connect(&network, &pair, Representation::Input, &params)?;
        Ok((robust.robust_accuracy, path.verdict))
    });
    let [gpu, cpu] = found;
    let (gpu, cpu) = (gpu?, cpu?);
    // One point of 200 may lie at the very boundary.
    assert_close(&[gpu.0], &[cpu.0], 0.0051);
    assert_eq!(gpu.1, cpu.1);
    Ok(())
}

#[test]
fn the_carried_network_answers_as_on_the_cpu() -> Result<()> {
    let settings = Settings::default();
    let found = devices().map(|device| -> Result<_> {
        let network = cifar10::build(&settings, &device)?
            .load(pretrained::checkpoint(&settings.name()))?
            .frozen()?;
        let images = Rng::new(0).uniform((8, 3, 32, 32), 0., 1., DType::F32, &device)?;
        let images = Var::from_tensor(&images)?;
        let logits = network.forward(&images)?;
        let labels = Tensor::zeros(8, DType::U32, &device)?;
        let gradients = (cross_entropy(&logits, &labels)? * 8.)?.backward()?;
        Ok((values(&logits), values(gradients.get(&images).unwrap())))
    });
    let [gpu, cpu] = found;
    let (gpu, cpu) = (gpu?, cpu?);
    // Logits of size 10 after 50 layers.
    assert_close(&gpu.0, &cpu.0, 1e-3);
    // A unit near 0 may be on for one and off for the other, and changes the gradient of some pixels: in
    // f32 on a CPU it differs from that in f64 by 8e-4 of its length.
    let length = |numbers: &[f64]| {
        numbers
            .iter()
            .map(|number| number * number)
            .sum::<f64>()
            .sqrt()
    };
    let difference: Vec<f64> = gpu
        .1
        .iter()
        .zip(&cpu.1)
        .map(|(gpu, cpu)| gpu - cpu)
        .collect();
    assert!(length(&cpu.1) > 0.1 && length(&difference) < 5e-3 * length(&cpu.1));
    Ok(())
}

#[test]
fn exact_lines_are_those_of_the_cpu() -> Result<()> {
    let params = ResNetParams {
        zero_init_residual: false,
        ..ResNetParams::cifar10(50, 4)?
    };
    let network = Model::on(3, DType::F32, CPU, move |vb| {
        ResNet::new(params.clone(), vb)
    })?
    .frozen()?;
    let known = PiecewiseLinear::new(network.as_ref(), Representation::Input)?;
    let ends = Rng::new(5).uniform((2, 3, 16, 16), 0., 1., DType::F32, CPU)?;
    let class = predictions(network.as_ref(), &ends)?.to_vec1::<u32>()?[0];
    let found = devices().map(|device| {
        let ends = ends.to_device(&device)?;
        let params = ExactParams {
            stop_at_witness: false,
            progress: Progress::Hidden,
            ..ExactParams::default()
        };
        exact(
            &known,
            class,
            &ends.narrow(0, 0, 1)?,
            &ends.narrow(0, 1, 1)?,
            &params,
        )
    });
    let [gpu, cpu] = found;
    let (gpu, cpu) = (gpu?, cpu?);
    println!(
        "{} and {} pieces, residual {:.0e}",
        gpu.pieces, cpu.pieces, gpu.residual
    );
    assert!(
        cpu.pieces > 1000 && gpu.residual < 1e-10,
        "{}",
        gpu.residual
    );
    // Breakpoints that lie very close together may count as one here and as two there.
    assert!(gpu.pieces.abs_diff(cpu.pieces) <= cpu.pieces / 1000);
    assert_close(
        &[gpu.smallest_margin, gpu.at],
        &[cpu.smallest_margin, cpu.at],
        1e-9,
    );
    assert_eq!(gpu.inside, cpu.inside);
    Ok(())
}
