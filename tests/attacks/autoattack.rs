//! AutoAttack: each attack on what the others left, and warnings where a result is hard to believe.

use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{DType, Device, Tensor};
use isopath::Result;
use isopath::attacks::{Apgd, Attack, AutoAttack, Norm, RobustEvaluation, Warning};
use isopath::datasets::Dataset;
use isopath::metrics::{accuracy, predictions};
use isopath::models::Network;

use crate::common::{Mlp, batch, values};

/// Small enough for a test.
fn small() -> AutoAttack {
    AutoAttack {
        steps: 20,
        queries: 100,
        ..AutoAttack::default()
    }
}

/// Images that the network gets right.
fn right(network: &dyn Network, rows: usize) -> Result<Dataset> {
    let images = batch(8, rows, DType::F32)?.inputs;
    Dataset::new(images.clone(), predictions(network, &images)?)
}

fn mlp(classes: usize) -> Result<Mlp> {
    Mlp::random(3, &[12, 9, classes], DType::F32)
}

/// A function of the logits of a network.
#[derive(Clone)]
struct Answering<F>(Mlp, F);

impl<F: Fn(Tensor) -> Result<Tensor> + Send + Sync + Clone + 'static> Network for Answering<F> {
    fn stages(&self) -> usize {
        self.0.stages()
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        let found = self.0.stage(index, x)?;
        match index + 1 == self.stages() {
            true => (self.1)(found),
            false => Ok(found),
        }
    }
}

#[test]
fn each_attack_gets_what_the_ones_before_left() -> Result<()> {
    let network = mlp(4)?;
    let data = batch(8, 60, DType::F32)?;
    for norm in [Norm::LInf, Norm::L2] {
        let found = AutoAttack { norm, ..small() }.evaluate(&network, &data, 0.1)?;
        assert_eq!(found.accuracy, accuracy(&network, &data)?);
        let mut left = (found.accuracy * 60.).round() as usize;
        for stage in &found.stages {
            assert_eq!(stage.attacked, left);
            left -= stage.misled;
        }
        assert_eq!(found.robust_accuracy, left as f64 / 60.);
        // The images say the same.
        let images = &found.adversarial;
        assert_eq!(accuracy(&network, &images.data)?, found.robust_accuracy);
        assert_eq!(
            images.success.iter().filter(|success| !**success).count(),
            left
        );
        assert!(
            images
                .distance
                .iter()
                .all(|distance| *distance <= 0.1 + 1e-6)
        );
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
        // No weaker than its first attack.
        let first = Apgd {
            norm,
            steps: 20,
            ..Apgd::default()
        }
        .attack(&network, &data, 0.1)?;
        assert!(found.robust_accuracy <= 1. - first.success_rate());
        let text = found.to_string();
        assert!(
            text.contains("robust accuracy") && text.contains("APGD-T, 20 steps"),
            "{text}"
        );
    }
    Ok(())
}

#[test]
fn accuracies_fall_with_eps_in_the_order_asked_for() -> Result<()> {
    let network = mlp(4)?;
    let data = right(&network, 60)?;
    let found = small().evaluate_at(&network, &data, &[0.2, 0., 0.05])?;
    let robust: Vec<f64> = found.iter().map(|found| found.robust_accuracy).collect();
    assert!(
        robust[1] == 1. && robust[2] < 1. && robust[0] < robust[2],
        "{robust:?}"
    );
    let bits = |images: &Tensor| {
        values(images).map(|all| all.into_iter().map(f64::to_bits).collect::<Vec<_>>())
    };
    assert_eq!(
        bits(&found[1].adversarial.data.inputs)?,
        bits(&data.inputs)?
    );
    for (found, eps) in found.iter().zip([0.2, 0., 0.05]) {
        assert_eq!(found.eps, eps);
        assert!(
            found
                .adversarial
                .distance
                .iter()
                .all(|distance| *distance <= eps + 1e-6)
        );
    }
    let curve = small().curve(&network, &data, &[0.2, 0., 0.05])?;
    assert_eq!(curve.accuracy, robust);
    Ok(())
}

#[test]
fn with_few_classes_other_attacks_take_their_place() -> Result<()> {
    for (classes, name) in [(2, ""), (3, "APGD-DLR")] {
        let network = mlp(classes)?;
        let found = small().evaluate(&network, &right(&network, 20)?, 1e-4)?;
        assert!(found.stages[0].attack.starts_with("APGD-CE"));
        assert!(found.stages[1].attack.starts_with(name));
        assert!(found.warnings.contains(&Warning::FewClasses { classes }));
    }
    Ok(())
}

fn warned(network: &dyn Network, data: &Dataset) -> Result<RobustEvaluation> {
    AutoAttack {
        queries: 0,
        ..small()
    }
    .evaluate(network, data, 0.05)
}

#[test]
fn probabilities_are_noticed() -> Result<()> {
    let softmax = |z: Tensor| Ok(candle_nn::ops::softmax(&z, 1)?);
    let network = Answering(mlp(4)?, softmax);
    let found = warned(&network, &right(&network, 20)?)?;
    assert!(
        found.warnings.contains(&Warning::Probabilities),
        "{:?}",
        found.warnings
    );
    Ok(())
}

#[test]
fn randomness_is_noticed() -> Result<()> {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let noisy = |z: Tensor| Ok((z + 1e-4 * CALLS.fetch_add(1, Ordering::Relaxed) as f64)?);
    let network = Answering(mlp(4)?, noisy);
    let found = warned(&network, &right(&network, 20)?)?;
    let random =
        |warning: &Warning| matches!(warning, Warning::Random { difference } if *difference > 0.);
    assert!(found.warnings.iter().any(random), "{:?}", found.warnings);
    Ok(())
}

#[test]
fn a_network_with_one_answer_is_noticed() -> Result<()> {
    let mut network = mlp(4)?;
    let bias = Tensor::new(&[0f32, 9., 0., 0.], &Device::Cpu)?;
    network.layers[1] = (Tensor::zeros((4, 9), DType::F32, &Device::Cpu)?, bias);
    let found = warned(&network, &batch(8, 20, DType::F32)?)?;
    assert_eq!(found.robust_accuracy, found.accuracy);
    let named = |expected: &Warning| found.warnings.contains(expected);
    assert!(
        named(&Warning::OneAnswer { class: 1 }),
        "{:?}",
        found.warnings
    );
    // Its gradient is 0, and no ball is large enough.
    assert!(
        named(&Warning::AccuracyRemains {
            eps: 1.,
            accuracy: 1.
        }),
        "{:?}",
        found.warnings
    );
    assert!(
        found
            .warnings
            .iter()
            .any(|one| matches!(one, Warning::ZeroGradients { .. }))
    );
    Ok(())
}

/// Logits whose steps are too high for f32: the cross-entropy has no gradient, their differences have.
#[test]
fn gradients_that_hide_are_noticed() -> Result<()> {
    // A staircase: the gradient of z + 2 round(z) as candle has it is that of z alone, or none at all.
    let stairs = |z: Tensor| Ok(((&z * 20.)?.round()?.detach() + (z * 1e-30)?)?);
    let network = Answering(mlp(4)?, stairs);
    let data = right(&network, 60)?;
    let attack = AutoAttack {
        steps: 5,
        queries: 500,
        ..AutoAttack::default()
    };
    let found = attack.evaluate(&network, &data, 0.1)?;
    let zero = |one: &Warning| matches!(one, Warning::ZeroGradients { images } if *images > 0);
    let hide = |one: &Warning| matches!(one, Warning::GradientsHide { images } if *images > 0);
    assert!(
        found.warnings.iter().any(zero) || found.warnings.iter().any(hide),
        "{found}"
    );
    Ok(())
}

#[test]
fn wrong_arguments_are_refused() -> Result<()> {
    let network = mlp(4)?;
    let data = batch(8, 9, DType::F32)?;
    let refused = |attack: AutoAttack, eps: &[f64], words: &str| {
        let error = attack
            .evaluate_at(&network, &data, eps)
            .unwrap_err()
            .to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(
        AutoAttack {
            steps: 0,
            ..small()
        },
        &[0.1],
        "steps",
    );
    refused(
        AutoAttack {
            targets: 0,
            ..small()
        },
        &[0.1],
        "targets",
    );
    refused(small(), &[], "radii");
    refused(small(), &[0.1, -0.1], "eps");
    let outside = Dataset::new((&data.inputs * 2.)?, data.labels.clone())?;
    let error = small()
        .evaluate(&network, &outside, 0.1)
        .unwrap_err()
        .to_string();
    assert!(error.contains("bounds"), "{error}");
    let (weight, bias) = &network.layers[0];
    let mut broken = network.clone();
    broken.layers[0] = ((weight * f64::NAN)?, bias.clone());
    let error = small()
        .evaluate(&broken, &data, 0.1)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("NaN") || error.contains("not a number"),
        "{error}"
    );
    Ok(())
}
