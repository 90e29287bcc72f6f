//! The attacks of AutoAttack on a network for MNIST: milliseconds, and the robust accuracy that they
//! leave.
//!
//! ```text
//! CANDLE_NUM_THREADS=1 RAYON_NUM_THREADS=$(nproc) cargo bench --bench attacks [-- part of a case's name]
//! ```
//!
//! prints `{"case", "ms", "robust_accuracy"}` a case, with the names of `benches/peers/torch_attacks.py`,
//! which attacks the same weights and images: `-- --prepare` trains the network and writes both to
//! `target/bench/attacks`. `benches/compare.py --suite attacks` does all that.
//!
//! On two cores of an AMD EPYC (Zen 4) AutoAttack takes 7.1 s for the 10,000 test images in L∞, where
//! torchattacks 3.5.1 takes 66 s; with AVX2 7.8 s and 76 s. Images that are misled rest, where the
//! reference takes all steps with all; where few are left, Square tries several windows at once. The
//! limit is the network: its products of few rows.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use isopath::attacks::ApgdLoss;
use isopath::candle::safetensors;
use isopath::prelude::*;

fn main() -> isopath::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--prepare") {
        return prepare();
    }
    // cargo itself adds `--bench`.
    let only = arguments.iter().find(|argument| !argument.starts_with('-'));
    let only = only.cloned().unwrap_or_default();
    let network = network()?.load(folder().join("network.safetensors"))?;
    let tensors = safetensors::load(folder().join("images.safetensors"), &Device::Cpu)?;
    let data = Dataset::new(tensors["images"].clone(), tensors["labels"].clone())?;
    let data = data.reshaped(&[1, 28, 28])?;
    for images in [1_000, 10_000] {
        let data = data.first(images)?;
        for (norm, eps) in [(Norm::LInf, 0.1), (Norm::L2, 1.)] {
            for (name, attack) in attacks(norm) {
                // Alone each attack takes long on ten thousand images, and tells no more.
                let case = format!("{name} {} eps={eps} images={images}", title(norm));
                if !case.contains(&only) || (images > 1_000 && name != "AutoAttack") {
                    continue;
                }
                let start = Instant::now();
                let found = attack.attack(&network, &data, eps)?;
                let ms = start.elapsed().as_secs_f64() * 1e3;
                let robust = 1. - found.success_rate();
                println!(
                    "{{\"case\": \"{case}\", \"ms\": {ms:.1}, \"robust_accuracy\": {robust:.4}}}"
                );
            }
        }
    }
    Ok(())
}

fn folder() -> PathBuf {
    Path::new("target/bench/attacks").into()
}

fn title(norm: Norm) -> &'static str {
    match norm {
        Norm::LInf => "Linf",
        Norm::L2 => "L2",
    }
}

fn attacks(norm: Norm) -> Vec<(&'static str, Box<dyn Attack>)> {
    let progress = Progress::Hidden;
    let apgd = |loss| Apgd {
        loss,
        norm,
        progress: progress.clone(),
        ..Apgd::default()
    };
    let targeted = ApgdLoss::TargetedDlr { targets: 9 };
    vec![
        ("APGD-CE", Box::new(apgd(ApgdLoss::CrossEntropy))),
        ("APGD-DLR", Box::new(apgd(ApgdLoss::Dlr))),
        ("APGD-T", Box::new(apgd(targeted))),
        (
            "FAB-T",
            Box::new(Fab {
                norm,
                progress: progress.clone(),
                ..Fab::default()
            }),
        ),
        (
            "Square",
            Box::new(Square {
                norm,
                progress: progress.clone(),
                ..Square::default()
            }),
        ),
        (
            "AutoAttack",
            Box::new(AutoAttack {
                norm,
                progress: progress.clone(),
                ..AutoAttack::default()
            }),
        ),
    ]
}

/// The plain network of the *isometry* paper.
fn network() -> isopath::Result<Model<Mlp>> {
    let sizes = [784, 100, 100, 100, 100, 10];
    Model::new(0, move |vb| Mlp::new(&sizes, Activation::Tanh, vb))
}

/// Trains the network, and writes it and the test images.
fn prepare() -> isopath::Result<()> {
    let data = datasets::mnist()?;
    let model = network()?;
    train(&model, &data.train, &CrossEntropy, &TrainParams::default())?;
    model.save(folder().join("network.safetensors"))?;
    let tensors = HashMap::from([
        ("images".to_string(), data.test.inputs),
        ("labels".to_string(), data.test.labels),
    ]);
    Ok(safetensors::save(
        &tensors,
        folder().join("images.safetensors"),
    )?)
}
