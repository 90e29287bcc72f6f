//! APGD against torchattacks, and what must hold of an attack that decides for each image alone.

use candle_core::{DType, Device, Tensor};
use isopath::Result;
use isopath::attacks::{Apgd, ApgdLoss, Attack, Norm, Start};
use isopath::datasets::Dataset;
use isopath::metrics::predictions;
use proptest::prelude::*;
use rayon::ThreadPoolBuilder;
use serde::Deserialize;

use crate::common::{Mlp, batch, data, largest_difference, values};

/// `tests/fixtures/apgd.json`, made by `tests/fixtures/apgd.py` with torch 2.15.0 and torchattacks
/// 3.5.1.
#[derive(Deserialize)]
struct Fixture {
    weights: Vec<Vec<f64>>,
    images: Vec<f64>,
    labels: Vec<u32>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    norm: String,
    loss: String,
    eps: f64,
    starts: Vec<f64>,
    images: Vec<f64>,
    losses: Vec<f64>,
    misled: Vec<bool>,
}

const LOSSES: [ApgdLoss; 3] = [
    ApgdLoss::CrossEntropy,
    ApgdLoss::Dlr,
    ApgdLoss::TargetedDlr { targets: 1 },
];

#[test]
fn the_best_points_are_those_of_torchattacks() -> Result<()> {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/apgd.json")).unwrap();
    let tensor = |values: &[f64], shape: &[usize]| Tensor::from_slice(values, shape, &Device::Cpu);
    let [w0, b0, w1, b1] = [
        (0, vec![8, 12]),
        (1, vec![8]),
        (2, vec![5, 8]),
        (3, vec![5]),
    ]
    .map(|(at, shape)| tensor(&fixture.weights[at], &shape));
    let network = Mlp {
        layers: vec![(w0?, b0?), (w1?, b1?)],
    };
    let images = tensor(&fixture.images, &[20, 1, 3, 4])?;
    let data = Dataset::new(
        images,
        Tensor::new(fixture.labels.as_slice(), &Device::Cpu)?,
    )?;
    for case in &fixture.cases {
        let loss = match case.loss.as_str() {
            "ce" => LOSSES[0],
            "dlr" => LOSSES[1],
            _ => LOSSES[2],
        };
        let attack = Apgd {
            loss,
            norm: if case.norm == "L2" {
                Norm::L2
            } else {
                Norm::LInf
            },
            start: Start::At(tensor(&case.starts, &[20, 1, 3, 4])?),
            until_misled: false,
            ..Apgd::default()
        };
        let found = attack.attack(&network, &data, case.eps)?;
        let what = format!("{} {}", case.norm, case.loss);
        assert_eq!(found.success, case.misled, "{what}");
        let tolerance = match (case.norm.as_str(), case.loss.as_str()) {
            ("Linf", _) => 1e-15,
            // torchattacks adds 1e-12 to each norm that it divides by, and the ascent goes to and fro
            // across the kinks of the loss, where the order of the logits changes.
            (_, "targeted") => 2e-2,
            _ => 1e-6,
        };
        let ours = values(&found.data.inputs)?;
        assert!(
            largest_difference(&ours, &case.images) < tolerance,
            "{what}"
        );
        let mean = case.losses.iter().sum::<f64>() / 20.;
        assert!(
            (found.loss_after - mean).abs() < tolerance.max(1e-3 * mean.abs()),
            "{what}"
        );
    }
    Ok(())
}

fn attacks() -> impl Iterator<Item = Apgd> {
    let norms = [Norm::LInf, Norm::L2].into_iter();
    norms.flat_map(|norm| {
        LOSSES.into_iter().map(move |loss| Apgd {
            loss,
            norm,
            steps: 12,
            batch_size: 7,
            ..Apgd::default()
        })
    })
}

fn bits(images: &Tensor) -> Result<Vec<u64>> {
    Ok(values(images)?.into_iter().map(f64::to_bits).collect())
}

/// Images that the network gets right, but for every fifth.
fn right(network: &Mlp, rows: usize) -> Result<Dataset> {
    let images = batch(8, rows, DType::F32)?.inputs;
    let mut labels = predictions(network, &images)?.to_vec1::<u32>()?;
    for label in labels.iter_mut().step_by(5) {
        *label = (*label + 1) % 4;
    }
    data(images, Tensor::new(labels, &Device::Cpu)?)
}

#[test]
fn neither_batch_nor_order_nor_threads_change_a_bit() -> Result<()> {
    let network = Mlp::random(3, &[12, 9, 4], DType::F32)?;
    let data = right(&network, 30)?;
    let order: Vec<usize> = (0..30).rev().collect();
    for attack in attacks() {
        let found = attack.attack(&network, &data, 0.1)?;
        let whole = Apgd {
            batch_size: 30,
            ..attack.clone()
        };
        let one_thread = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let other = one_thread.install(|| whole.attack(&network, &data, 0.1))?;
        assert_eq!(
            bits(&found.data.inputs)?,
            bits(&other.data.inputs)?,
            "{attack}"
        );
        let back = attack.attack(&network, &data.select(&order)?, 0.1)?;
        let back = back.data.select(&order)?;
        assert_eq!(bits(&found.data.inputs)?, bits(&back.inputs)?, "{attack}");
        let seeded = Apgd { seed: 1, ..attack }.attack(&network, &data, 0.1)?;
        assert_ne!(bits(&found.data.inputs)?, bits(&seeded.data.inputs)?);
    }
    Ok(())
}

#[test]
fn what_was_wrong_stays_and_more_targets_and_restarts_mislead_no_less() -> Result<()> {
    let network = Mlp::random(3, &[12, 9, 4], DType::F32)?;
    let data = right(&network, 40)?;
    for attack in attacks() {
        let found = attack.attack(&network, &data, 0.05)?;
        for row in (0..40).step_by(5) {
            assert!(found.success[row] && found.distance[row] == 0.);
        }
        let more = Apgd {
            restarts: 3,
            ..attack.clone()
        }
        .attack(&network, &data, 0.05)?;
        let no_less = |more: &[bool]| {
            found
                .success
                .iter()
                .zip(more)
                .all(|(one, more)| one <= more)
        };
        assert!(no_less(&more.success), "{attack}");
        if attack.loss == LOSSES[2] {
            let all = Apgd {
                norm: attack.norm,
                steps: 12,
                ..Apgd::targeted()
            };
            assert!(no_less(&all.attack(&network, &data, 0.05)?.success));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn images_stay_in_the_ball_and_the_bounds(
        seed in 0u64..1000, eps in 0f64..1.5, which in 0usize..6, single in any::<bool>(),
    ) {
        let dtype = if single { DType::F32 } else { DType::F64 };
        let network = Mlp::random(seed, &[12, 9, 4], dtype).unwrap();
        let data = batch(seed, 6, dtype).unwrap();
        let attack = attacks().nth(which).unwrap();
        let found = attack.attack(&network, &data, eps).unwrap();
        let rounding = if single { 4e-7 } else { 1e-15 };
        prop_assert!(found.distance.iter().all(|distance| *distance <= eps + rounding));
        let pixels = values(&found.data.inputs).unwrap();
        prop_assert!(pixels.iter().all(|pixel| (0. ..=1.).contains(pixel)));
        for ((success, answer), label) in
            found.success.iter().zip(&found.after).zip(data.labels.to_vec1::<u32>().unwrap())
        {
            prop_assert_eq!(*success, answer.class != label);
        }
    }
}

#[test]
fn in_a_ball_of_radius_0_lies_the_image_bit_for_bit() -> Result<()> {
    for dtype in [DType::F32, DType::F64, DType::F16] {
        let network = Mlp::random(3, &[12, 9, 4], dtype)?;
        let data = batch(8, 9, dtype)?;
        for attack in attacks() {
            let found = attack.attack(&network, &data, 0.)?;
            assert_eq!(bits(&found.data.inputs)?, bits(&data.inputs)?);
        }
    }
    Ok(())
}

#[test]
fn wrong_arguments_are_refused() -> Result<()> {
    let network = Mlp::random(3, &[12, 9, 4], DType::F32)?;
    let data = batch(8, 9, DType::F32)?;
    let refused = |attack: Apgd, eps: f64, words: &str| {
        let error = attack.attack(&network, &data, eps).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    let given = || Apgd::default();
    refused(
        Apgd {
            steps: 0,
            ..given()
        },
        0.1,
        "steps",
    );
    refused(
        Apgd {
            rho: 1.1,
            ..given()
        },
        0.1,
        "rho",
    );
    let image = Apgd {
        restarts: 2,
        start: Start::Image,
        ..given()
    };
    refused(image, 0.1, "restarts");
    let start = Tensor::zeros((2, 12), DType::F32, &Device::Cpu)?;
    refused(
        Apgd {
            start: Start::At(start),
            ..given()
        },
        0.1,
        "start",
    );
    refused(given(), -0.1, "eps");
    refused(given(), f64::NAN, "eps");
    // Three classes: DLR is defined, its targeted form is not.
    let network = Mlp::random(3, &[12, 3], DType::F32)?;
    let images = data.inputs.clone();
    let three = Dataset::new(images, Tensor::zeros(9, DType::U32, &Device::Cpu)?)?;
    let error = Apgd::targeted()
        .attack(&network, &three, 0.1)
        .unwrap_err()
        .to_string();
    assert!(error.contains("at least 4 for APGD-T"), "{error}");
    assert!(
        Apgd {
            loss: ApgdLoss::Dlr,
            ..given()
        }
        .attack(&network, &three, 0.1)
        .is_ok()
    );
    // Weights that are no numbers.
    let (weight, bias) = &network.layers[0];
    let broken = Mlp {
        layers: vec![((weight * f64::NAN)?, bias.clone())],
    };
    let error = given()
        .attack(&broken, &three, 0.1)
        .unwrap_err()
        .to_string();
    assert!(error.contains("NaN"), "{error}");
    Ok(())
}
