//! Losses at attacked images: adversarial training and TRADES.

use std::sync::Arc;

use isopath::Result;
use isopath::attacks::{AdversarialLoss, Attack as _, Bounds, Goal, Norm, Pgd, Trades};
use isopath::candle::{DType, Tensor};
use isopath::datasets::Dataset;
use isopath::losses::{CrossEntropy, IsometricLoss, Loss};
use isopath::models::{Activation, Mlp, Model};
use isopath::progress::Progress;
use isopath::rng::Rng;

use crate::common::{CPU, assert_close, message, values, with_threads};
use crate::fixture::{assert_gradient, assert_loss, batch, fixture, network};

#[test]
fn adversarial_losses_and_their_gradients_are_those_of_pytorch() -> Result<()> {
    let (model, data) = (network(Activation::Tanh)?, batch()?);
    for case in &fixture().adversarial {
        let loss = AdversarialLoss {
            loss: Arc::new(CrossEntropy),
            attack: Pgd {
                alpha: case.alpha,
                steps: case.steps,
                ..Pgd::default()
            },
            eps: case.eps,
        };
        assert_close(
            &values(&loss.attacked(&model, &data)?),
            &case.attacked,
            1e-14,
        );
        let found = loss.loss(&model, &data)?;
        assert_loss(&found, &model, case.value, &case.gradients);
    }
    Ok(())
}

#[test]
fn trades_and_its_gradients_are_those_of_pytorch() -> Result<()> {
    let (model, data) = (network(Activation::Tanh)?, batch()?);
    for case in &fixture().trades {
        let loss = Trades {
            alpha: case.alpha,
            steps: case.steps,
            ..Trades::new(case.beta, case.eps)
        };
        let start = Tensor::from_slice(&case.start, (5, 6), CPU)?;
        let attacked = loss.attacked_from(&model, &data, &start)?;
        assert_close(&values(&attacked), &case.attacked, 1e-14);
        let terms = loss.terms_at(&model, &data, &attacked)?;
        assert_loss(&terms.loss, &model, case.value, &case.gradients);
        let rest = (case.value - values(&terms.cross_entropy.unwrap())[0]) / case.beta;
        assert!((rest - case.divergence).abs() < 1e-13);
    }
    Ok(())
}

/// (12, 20) images in [0, 1], some pixels on the bounds, a network of three classes and labels.
fn problem(dtype: DType) -> Result<(Model<Mlp>, Dataset)> {
    let model = Model::on(1, dtype, CPU, |vb| {
        Mlp::new(&[20, 15, 3], Activation::Tanh, vb)
    })?;
    let mut rng = Rng::new(4);
    let images = rng
        .uniform((12, 20), -0.2, 1.2, dtype, CPU)?
        .clamp(0., 1.)?;
    let labels: Vec<u32> = (0..12).map(|n| n % 3).collect();
    Ok((model, Dataset::new(images, Tensor::new(labels, CPU)?)?))
}

#[test]
fn attacked_images_stay_in_ball_and_bounds() -> Result<()> {
    for dtype in [DType::F32, DType::F64] {
        let (model, data) = problem(dtype)?;
        for eps in [0.05, 0.3, 2.] {
            for norm in [Norm::LInf, Norm::L2] {
                let mut adversarial = AdversarialLoss::new(eps);
                adversarial.attack.norm = norm;
                let trades = Trades {
                    norm,
                    ..Trades::new(1., eps)
                };
                for attacked in [
                    adversarial.attacked(&model, &data)?,
                    trades.attacked(&model, &data)?,
                ] {
                    assert!(values(&attacked).iter().all(|x| (0. ..=1.).contains(x)));
                    let change = (attacked - &data.inputs)?;
                    let sizes = match norm {
                        Norm::LInf => change.abs()?.max(1)?,
                        Norm::L2 => change.sqr()?.sum(1)?.sqrt()?,
                    };
                    let largest = values(&sizes).into_iter().fold(0., f64::max);
                    assert!(largest <= eps + 1e-6, "{largest} {eps}");
                    assert!(largest > eps * 0.5 || eps > 1., "{largest} {eps}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn without_a_radius_they_are_the_loss_itself() -> Result<()> {
    let (model, data) = problem(DType::F32)?;
    let known = values(&CrossEntropy.loss(&model, &data)?);
    let adversarial = AdversarialLoss::new(0.);
    assert_eq!(
        values(&adversarial.attacked(&model, &data)?),
        values(&data.inputs)
    );
    assert_eq!(values(&adversarial.loss(&model, &data)?), known);
    assert_eq!(values(&Trades::new(6., 0.).loss(&model, &data)?), known);
    assert_eq!(values(&Trades::new(0., 0.3).loss(&model, &data)?), known);
    Ok(())
}

/// The attacked images count as constants: the gradient is that of the loss at these images, although
/// weights that move would be attacked at others.
#[test]
fn gradients_are_central_differences_at_fixed_attacked_images() -> Result<()> {
    let (model, data) = problem(DType::F64)?;
    for loss in [
        Arc::new(CrossEntropy) as Arc<dyn Loss>,
        Arc::new(IsometricLoss::new(0.5)),
    ] {
        let adversarial = AdversarialLoss {
            loss: loss.clone(),
            ..AdversarialLoss::new(0.1)
        };
        let attacked = adversarial.attacked(&model, &data)?;
        let attacked = Dataset::new(attacked, data.labels.clone())?;
        let found = adversarial.loss(&model, &data)?;
        assert_gradient(&found, &|| loss.loss(&model, &attacked), &model, 1e-8)?;
    }
    for norm in [Norm::LInf, Norm::L2] {
        let trades = Trades {
            norm,
            ..Trades::new(6., 0.3)
        };
        let attacked = trades.attacked(&model, &data)?;
        let at_them = || Ok(trades.terms_at(&model, &data, &attacked)?.loss);
        assert_gradient(&trades.loss(&model, &data)?, &at_them, &model, 1e-8)?;
    }
    Ok(())
}

/// Without a random start the images are those of the attack itself.
#[test]
fn the_attack_is_that_of_its_name() -> Result<()> {
    let (model, data) = problem(DType::F32)?;
    let mut adversarial = AdversarialLoss::new(0.1);
    adversarial.attack.random_start = false;
    let pgd = Pgd {
        progress: Progress::Hidden,
        ..adversarial.attack.clone()
    };
    let known = pgd.attack(&model, &data, 0.1)?.data;
    assert_eq!(
        values(&adversarial.attacked(&model, &data)?),
        values(&known.inputs)
    );
    // The loss that is trained is a field of its own.
    let loss = IsometricLoss::new(2.);
    let both = AdversarialLoss {
        loss: Arc::new(loss.clone()),
        ..adversarial
    };
    let terms = both.terms(&model, &data)?;
    assert_eq!(values(&terms.loss), values(&loss.loss(&model, &known)?));
    assert!(values(&terms.isometric.unwrap())[0] > 0.);
    Ok(())
}

#[test]
fn starts_differ_from_batch_to_batch_and_come_again() -> Result<()> {
    let (model, data) = problem(DType::F32)?;
    let other = Dataset::new(
        data.inputs.clone(),
        Tensor::new(&[0u32, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 1], CPU)?,
    )?;
    // Steps too short to forget the start.
    let mut adversarial = AdversarialLoss::new(0.3);
    adversarial.attack.alpha = 1e-6;
    let trades = Trades {
        alpha: 1e-6,
        ..Trades::new(1., 0.3)
    };
    let seeded = |seed| {
        let mut own = adversarial.clone();
        own.attack.seed = seed;
        own
    };
    let found = [
        adversarial.attacked(&model, &data)?,
        adversarial.attacked(&model, &other)?,
        seeded(1).attacked(&model, &data)?,
        trades.attacked(&model, &data)?,
        trades.attacked(&model, &other)?,
        Trades {
            seed: 1,
            ..trades.clone()
        }
        .attacked(&model, &data)?,
    ];
    for pair in [(0, 1), (0, 2), (3, 4), (3, 5)] {
        let far = (&found[pair.0] - &found[pair.1])?.abs()?.mean_all()?;
        assert!(far.to_scalar::<f32>()? > 1e-4, "{pair:?}");
    }
    for threads in [1, 2, 3] {
        let again = with_threads(threads, || {
            [
                adversarial.attacked(&model, &data).unwrap(),
                trades.attacked(&model, &data).unwrap(),
            ]
        });
        assert_eq!(values(&again[0]), values(&found[0]));
        assert_eq!(values(&again[1]), values(&found[3]));
    }
    Ok(())
}

#[test]
fn bad_input_is_named() -> Result<()> {
    let (model, data) = problem(DType::F32)?;
    let adversarial = |change: &dyn Fn(&mut AdversarialLoss)| {
        let mut loss = AdversarialLoss::new(0.1);
        change(&mut loss);
        message(loss.loss(&model, &data))
    };
    assert_eq!(
        adversarial(&|loss| loss.eps = -0.1),
        "eps is -0.1; expected a finite number ≥ 0"
    );
    assert_eq!(
        adversarial(&|loss| loss.attack.steps = 0),
        "steps is 0; expected at least 1"
    );
    assert_eq!(
        adversarial(&|loss| loss.attack.restarts = 3),
        "restarts is 3; expected 1 in training"
    );
    assert_eq!(
        adversarial(&|loss| loss.attack.goal = Goal::Targeted(data.labels.clone())),
        "goal is targeted; expected untargeted"
    );
    assert!(adversarial(&|loss| loss.attack.alpha = 0.).starts_with("alpha is 0"));
    assert!(
        adversarial(&|loss| loss.attack.bounds = Some(Bounds { min: 0., max: 0.5 }))
            .contains("inside the bounds [0, 0.5]")
    );

    let trades = |change: &dyn Fn(&mut Trades)| {
        let mut loss = Trades::new(6., 0.1);
        change(&mut loss);
        message(loss.loss(&model, &data))
    };
    assert_eq!(
        trades(&|loss| loss.beta = -1.),
        "beta is -1; expected a finite number ≥ 0"
    );
    assert!(trades(&|loss| loss.eps = f64::NAN).starts_with("eps is NaN"));
    assert!(trades(&|loss| loss.noise = -1.).starts_with("noise is -1"));
    assert!(trades(&|loss| loss.steps = 0).starts_with("steps is 0"));
    assert!(trades(&|loss| loss.alpha = -1.).starts_with("alpha is -1"));
    let short = data.inputs.narrow(0, 0, 3)?;
    assert_eq!(
        message(Trades::new(1., 0.1).attacked_from(&model, &data, &short)),
        "Trades: start has shape [3, 20]; expected [12, 20], that of the inputs"
    );

    let one = Model::on(0, DType::F32, CPU, |vb| {
        Mlp::new(&[20, 1], Activation::Tanh, vb)
    })?;
    let zeros = Dataset::new(data.inputs.clone(), Tensor::zeros(12, DType::U32, CPU)?)?;
    let losses: [&dyn Loss; 2] = [&AdversarialLoss::new(0.1), &Trades::new(1., 0.1)];
    for loss in losses {
        assert_eq!(
            message(loss.loss(&one, &zeros)),
            "attack in training: logits has shape [1, 1]; expected (N, classes), at least 2 classes"
        );
    }
    Ok(())
}
