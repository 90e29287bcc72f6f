//! What must hold of every attack: the ball, the bounds, closed forms, and independence of threads.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use isopath::Result;
use isopath::attacks::{Adversarial, Attack, Bounds, Fgsm, Goal, Norm, Pgd};
use isopath::datasets::Dataset;
use isopath::losses::Loss;
use isopath::metrics::accuracy;
use isopath::models::Network;
use isopath::rng::Rng;
use proptest::prelude::*;
use rayon::ThreadPoolBuilder;

use crate::common::{CrossEntropy, Custom, Mlp, batch, largest_difference, values};

const WIDTHS: [usize; 3] = [12, 9, 4];

fn bits(images: &Tensor) -> Result<Vec<u64>> {
    Ok(values(images)?.into_iter().map(f64::to_bits).collect())
}

fn attack(norm: Norm, rows: usize, pgd: &Pgd) -> Result<Adversarial> {
    let network = Mlp::random(3, &WIDTHS, DType::F32)?;
    let pgd = Pgd {
        norm,
        ..pgd.clone()
    };
    pgd.attack(&network, &batch(5, rows, DType::F32)?, 0.3)
}

/// Along a cross-entropy that the library did not write.
fn pgd() -> Pgd {
    Pgd::along(CrossEntropy::default())
}

#[test]
fn fgsm_is_pgd_with_one_full_step_bit_for_bit() -> Result<()> {
    let network = Mlp::random(1, &WIDTHS, DType::F32)?;
    let data = batch(2, 33, DType::F32)?;
    let labels = &data.labels;
    let targets =
        Goal::Targeted(((labels + 1.)? - (labels.ge(3u32)?.to_dtype(DType::U32)? * 4.)?)?);
    for norm in [Norm::LInf, Norm::L2] {
        for goal in [Goal::Untargeted, targets.clone()] {
            for bounds in [Some(Bounds::default()), None] {
                for eps in [0.01, 0.1, 0.7, 1.] {
                    let one = Fgsm {
                        norm,
                        goal: goal.clone(),
                        bounds,
                        batch_size: 10,
                        ..Fgsm::along(CrossEntropy::default())
                    };
                    let many = Pgd {
                        norm,
                        goal: goal.clone(),
                        bounds,
                        batch_size: 10,
                        alpha: eps,
                        steps: 1,
                        ..pgd()
                    };
                    let one = one.attack(&network, &data, eps)?;
                    let many = many.attack(&network, &data, eps)?;
                    assert_eq!(bits(&one.data.inputs)?, bits(&many.data.inputs)?);
                    assert_eq!((one.after, one.success), (many.after, many.success));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn one_step_from_an_image_is_the_sign_of_its_gradient() -> Result<()> {
    // Logits (0, w·x): the gradient at label 0 is a positive multiple of w, and 0 where w is 0.
    let weight = Tensor::new(&[[0f32, 0., 0.], [2., -3., 0.]], &Device::Cpu)?;
    let network = Mlp {
        layers: vec![(weight, Tensor::zeros(2, DType::F32, &Device::Cpu)?)],
    };
    let images = Tensor::new(&[[0.5f32, 0.5, 0.5], [0.9, 0.1, 1.]], &Device::Cpu)?;
    let data = Dataset::new(images, Tensor::new(&[0u32, 0], &Device::Cpu)?)?;
    let found = Fgsm::along(CrossEntropy::default()).attack(&network, &data, 0.25)?;
    assert_eq!(
        found.data.inputs.to_vec2::<f32>()?,
        [[0.75, 0.25, 0.5], [1., 0., 1.]]
    );
    assert_eq!(found.gradient_evaluations, 1);
    Ok(())
}

/// A linear network of two classes loses exactly ε‖w‖₁ (L∞) or ε‖w‖₂ (L2) of its margin m = w·x +
/// b, w = w₁ − w₀.
#[test]
fn a_linear_network_loses_the_dual_norm_of_its_margin() -> Result<()> {
    // A sum of twelve products, about ten steps of them.
    const ROUNDING: f64 = 1e-13;
    let network = Mlp::random(8, &[12, 2], DType::F64)?;
    let weights = network.layers[0].0.to_vec2::<f64>()?;
    let w: Vec<f64> = weights[1]
        .iter()
        .zip(&weights[0])
        .map(|(a, b)| a - b)
        .collect();
    let images = batch(9, 50, DType::F64)?.inputs;
    let margins = |images: &Tensor| -> Result<Vec<f64>> {
        Ok(network
            .forward(images)?
            .to_vec2::<f64>()?
            .iter()
            .map(|logits| logits[1] - logits[0])
            .collect())
    };
    let clean = margins(&images)?;
    let labels: Vec<u32> = clean.iter().map(|margin| u32::from(*margin > 0.)).collect();
    let data = Dataset::new(images, Tensor::new(labels, &Device::Cpu)?)?;
    for (norm, dual) in [
        (Norm::LInf, w.iter().map(|w| w.abs()).sum::<f64>()),
        (Norm::L2, w.iter().map(|w| w * w).sum::<f64>().sqrt()),
    ] {
        let mut accuracies = Vec::new();
        for eps in [0., 0.05, 0.2, 0.6] {
            for (alpha, steps) in [(0.09, 10), (0.7, 1)] {
                let pgd = Pgd {
                    norm,
                    alpha,
                    steps,
                    bounds: None,
                    ..pgd()
                };
                let found = pgd.attack(&network, &data, eps)?;
                for (clean, attacked) in clean.iter().zip(margins(&found.data.inputs)?) {
                    assert!((clean - clean.signum() * eps * dual - attacked).abs() < ROUNDING);
                }
                let robust = clean
                    .iter()
                    .filter(|margin| margin.abs() > eps * dual)
                    .count() as f64
                    / 50.;
                assert!((1. - found.success_rate() - robust).abs() < 1e-12);
                accuracies.push(robust);
            }
        }
        assert_eq!(accuracies[0], 1.);
        assert!(accuracies.is_sorted_by(|a, b| a >= b) && accuracies[7] < 1.);
    }
    Ok(())
}

#[test]
fn untargeted_raises_the_loss_and_targeted_lowers_it() -> Result<()> {
    let network = Mlp::random(4, &WIDTHS, DType::F32)?;
    let data = batch(6, 40, DType::F32)?;
    let targets = Tensor::full(2u32, 40, &Device::Cpu)?;
    for norm in [Norm::LInf, Norm::L2] {
        let pgd = Pgd {
            norm,
            alpha: 0.05,
            ..pgd()
        };
        let found = pgd.attack(&network, &data, 0.4)?;
        assert!(found.loss_after > found.loss_before + 0.1, "{found:?}");
        // Of all images, in batches of whatever size: the last of 40 by 7 is a smaller one.
        let parts = Pgd {
            batch_size: 7,
            ..pgd.clone()
        };
        let parts = parts.attack(&network, &data, 0.4)?;
        for (images, losses) in [
            (&data.inputs, [found.loss_before, parts.loss_before]),
            (&parts.data.inputs, [parts.loss_after; 2]),
        ] {
            let logits = network
                .forward(images)?
                .to_dtype(DType::F64)?
                .to_vec2::<f64>()?;
            let each = logits
                .iter()
                .zip(data.labels.to_vec1::<u32>()?)
                .map(|(row, label)| {
                    row.iter().map(|logit| logit.exp()).sum::<f64>().ln() - row[label as usize]
                });
            let mean = each.sum::<f64>() / 40.;
            assert!(
                losses.iter().all(|loss| (loss - mean).abs() < 1e-6),
                "{losses:?} {mean}"
            );
        }
        let pgd = Pgd {
            goal: Goal::Targeted(targets.clone()),
            ..pgd
        };
        let found = pgd.attack(&network, &data, 0.4)?;
        assert!(found.loss_after < found.loss_before - 0.1, "{found:?}");
        for (answer, success) in found.after.iter().zip(&found.success) {
            assert_eq!(*success, answer.class == 2);
        }
    }
    Ok(())
}

#[test]
fn any_number_of_threads_finds_the_same_images() -> Result<()> {
    for norm in [Norm::LInf, Norm::L2] {
        let pgd = Pgd {
            random_start: true,
            restarts: 2,
            batch_size: 7,
            alpha: 0.1,
            ..pgd()
        };
        let mut found = Vec::new();
        for threads in [1, 2, 5] {
            let pool = ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let adversarial = pool.install(|| attack(norm, 100, &pgd))?;
            found.push((
                bits(&adversarial.data.inputs)?,
                adversarial.after,
                adversarial.loss_after.to_bits(),
            ));
        }
        assert_eq!(found[0], found[1]);
        assert_eq!(found[0], found[2]);
    }
    Ok(())
}

#[test]
fn a_random_start_is_uniform_in_the_ball() -> Result<()> {
    // One step so short that the image is the start, to rounding of f64.
    let (rows, eps) = (2000, 0.3);
    let images = Tensor::full(0.5, (rows, 12), &Device::Cpu)?;
    let data = Dataset::new(images, Tensor::zeros(rows, DType::U32, &Device::Cpu)?)?;
    let network = Mlp::random(1, &WIDTHS, DType::F64)?;
    for norm in [Norm::LInf, Norm::L2] {
        let start = |seed: u64| {
            let pgd = Pgd {
                norm,
                alpha: 1e-14,
                steps: 1,
                random_start: true,
                seed,
                batch_size: 500,
                ..pgd()
            };
            pgd.attack(&network, &data, eps)
        };
        let found = start(1)?;
        // In a ball of d dimensions (r / ε)^d is uniform, in either norm: mean 1/2, variance 1/12.
        // Five standard errors.
        let uniform = found
            .distance
            .iter()
            .map(|r| (r / eps).powi(12))
            .sum::<f64>()
            / rows as f64;
        assert!(
            (uniform - 0.5).abs() < 5. * (1. / 12. / rows as f64).sqrt(),
            "{norm:?}: {uniform}"
        );
        // Centred: a pixel's standard deviation is below ε.
        let centre = (&found.data.inputs - 0.5)?.mean(0)?.to_vec1::<f64>()?;
        assert!(
            centre
                .iter()
                .all(|mean| mean.abs() < 5. * eps / (rows as f64).sqrt())
        );
        assert_eq!(bits(&found.data.inputs)?, bits(&start(1)?.data.inputs)?);
        assert_ne!(bits(&found.data.inputs)?, bits(&start(2)?.data.inputs)?);
        // No two batches start alike.
        let rows = values(&found.data.inputs)?;
        assert_ne!(rows[..12], rows[12 * 500..12 * 501]);
    }
    Ok(())
}

#[test]
fn restarts_keep_what_succeeded() -> Result<()> {
    let pgd = Pgd {
        random_start: true,
        steps: 1,
        alpha: 0.05,
        ..pgd()
    };
    let one = attack(Norm::LInf, 200, &pgd)?;
    let many = attack(Norm::LInf, 200, &Pgd { restarts: 8, ..pgd })?;
    assert_eq!(
        (one.gradient_evaluations, many.gradient_evaluations),
        (1, 8)
    );
    assert!(many.success_rate() > one.success_rate());
    let (before, after) = (
        one.data.inputs.to_vec2::<f32>()?,
        many.data.inputs.to_vec2::<f32>()?,
    );
    for row in 0..200 {
        // The first attempt is the same; it is replaced only where it failed and another succeeded.
        assert_eq!(
            before[row] != after[row],
            many.success[row] && !one.success[row]
        );
    }
    Ok(())
}

#[test]
fn the_batch_matters_to_a_loss_that_couples_it_and_to_no_other() -> Result<()> {
    let network = Mlp::random(4, &WIDTHS, DType::F64)?;
    let data = batch(6, 30, DType::F64)?;
    // The squared mean of all logits of the batch: the sign of every gradient depends on the other
    // samples.
    let coupled = Custom(|network: &dyn Network, x: &Tensor, _: &Tensor| {
        Ok(network.forward(x)?.mean_all()?.sqr()?)
    });
    let coupled: Arc<dyn Loss> = Arc::new(coupled);
    let found = |loss: &Arc<dyn Loss>, batch_size| -> Result<Vec<f64>> {
        let pgd = Pgd {
            loss: loss.clone(),
            batch_size,
            alpha: 0.05,
            ..Pgd::default()
        };
        values(&pgd.attack(&network, &data, 0.3)?.data.inputs)
    };
    let plain: Arc<dyn Loss> = Arc::new(CrossEntropy::default());
    assert!(largest_difference(&found(&plain, 30)?, &found(&plain, 7)?) < 1e-12);
    assert!(largest_difference(&found(&coupled, 30)?, &found(&coupled, 7)?) > 0.1);
    Ok(())
}

#[test]
fn transfer_to_the_same_network_is_its_robust_accuracy() -> Result<()> {
    let (a, b) = (
        Mlp::random(4, &WIDTHS, DType::F32)?,
        Mlp::random(5, &WIDTHS, DType::F32)?,
    );
    let images = batch(6, 90, DType::F32)?.inputs;
    let labels = a.forward(&images)?.argmax(1)?;
    let data = Dataset::new(images, labels)?;
    let found = Fgsm::along(CrossEntropy::default()).attack(&a, &data, 0.3)?;
    assert!(found.success_rate() > 0.1);
    assert!((accuracy(&a, &found.data)? - (1. - found.success_rate())).abs() < 1e-12);
    // Another network, counted by hand.
    let other = b
        .forward(&found.data.inputs)?
        .argmax(1)?
        .eq(&data.labels)?
        .to_vec1::<u8>()?;
    let by_hand = other.iter().map(|correct| f64::from(*correct)).sum::<f64>() / 90.;
    assert!((accuracy(&b, &found.data)? - by_hand).abs() < 1e-12);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Every iterate (the result of k steps is the k-th) lies in the bounds exactly, and in the
    /// ball to rounding.
    #[test]
    fn iterates_stay_in_the_ball_and_in_the_bounds(
        seed in 0u64..1000,
        rows in 1usize..5,
        l2: bool,
        clipped: bool,
        random_start: bool,
        targeted: bool,
        eps in prop_oneof![Just(0.), 1e-4..1.5f64],
        alpha in 1e-3..2f64,
        steps in 1usize..5,
        (min, width) in (-2f64..2., 0.1..3f64),
    ) {
        let norm = if l2 { Norm::L2 } else { Norm::LInf };
        let bounds = Bounds { min, max: min + width };
        let images = Rng::new(seed).uniform((rows, 12), min, min + width, DType::F32, &Device::Cpu).unwrap();
        let labels = Tensor::zeros(rows, DType::U32, &Device::Cpu).unwrap();
        let goal = if targeted { Goal::Targeted(labels.clone()) } else { Goal::Untargeted };
        let network = Mlp::random(seed, &WIDTHS, DType::F32).unwrap();
        let pgd = Pgd {
            norm, goal, alpha, steps, random_start, bounds: clipped.then_some(bounds), seed, ..pgd()
        };
        let data = Dataset::new(images.clone(), labels).unwrap();
        let found = pgd.attack(&network, &data, eps).unwrap();
        let largest = values(&images).unwrap().into_iter().fold(0f64, |a, b| a.max(b.abs())) + eps;
        // f32 rounds ε and x ± ε by at most half an ulp: ε·2⁻²⁴ + (|x| + ε)·2⁻²⁴ a pixel. In L2
        // each of d pixels is rounded so, √d in their norm, and ‖δ‖₂ itself (d squares, their sum,
        // a root, a quotient) by ε·(d + 4)·2⁻²⁴.
        let unit = 2f64.powi(-24);
        let rounding = match norm {
            Norm::LInf => unit * (eps + largest),
            Norm::L2 => unit * (12f64.sqrt() * (eps + 2. * largest) + 16. * eps),
        };
        for distance in &found.distance {
            prop_assert!(*distance <= eps + rounding, "{distance} > {eps}");
        }
        if clipped {
            let (low, high) = (bounds.min as f32, bounds.max as f32);
            for pixel in found.data.inputs.flatten_all().unwrap().to_vec1::<f32>().unwrap() {
                prop_assert!((low..=high).contains(&pixel), "{pixel} outside [{low}, {high}]");
            }
        }
    }
}
