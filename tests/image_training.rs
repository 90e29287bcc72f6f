//! What images are trained with: SGD, one cycle of the learning rate, softened labels, crops and
//! mirror images.

mod common;

use common::{CPU, assert_close, data, message, observer, values, wave, weights};
use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::datasets::{Augmentation, Dataset};
use isopath::losses::{CrossEntropy, LabelSmoothing, Loss, cross_entropy};
use isopath::metrics::accuracy;
use isopath::models::{Model, Network, Parameters, ResNet, ResNetParams};
use isopath::optimizers::State;
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::training::{AdamParams, Optimizer, Schedule, SgdParams, TrainParams, train};

/// ```python
/// import torch                                                    # 2.15.0
/// torch.set_default_dtype(torch.float64)
/// def wave(*shape, start):
///     return torch.sin(torch.arange(torch.Size(shape).numel()) + start).reshape(shape)
/// for nesterov in (True, False):
///     p, b = wave(2, 2, start=0.0).requires_grad_(), wave(2, start=1.0).requires_grad_()
///     groups = [{"params": [p], "weight_decay": 0.1}, {"params": [b]}]
///     opt = torch.optim.SGD(groups, lr=0.1, momentum=0.8, nesterov=nesterov)
///     for _ in range(4):
///         opt.zero_grad(); ((p**4).sum() / 4 + (b**4).sum() / 4).backward(); opt.step()
///     print(p.flatten().tolist(), b.tolist(), opt.state[p]["momentum_buffer"].flatten().tolist())
/// ```
#[test]
fn sgd_is_that_of_pytorch() -> Result<()> {
    let expected = [
        (
            true,
            [
                0.0,
                0.3867170989972435,
                0.37540058969416884,
                0.12400487536145147,
            ],
            [0.4387502069520757, 0.42874259955692134],
            [
                0.0,
                1.0104265208277678,
                1.1519168105713522,
                0.046921250664091925,
            ],
        ),
        (
            false,
            [
                0.0,
                0.422671724485221,
                0.4090442301900823,
                0.1275931715631924,
            ],
            [0.47145298513036665, 0.45971472637705535],
            [
                0.0,
                1.1960315572408966,
                1.384480554515892,
                0.04782279872230619,
            ],
        ),
    ];
    for (nesterov, p_expected, b_expected, velocity) in expected {
        let parameters = Parameters::new();
        let builder = parameters.builder(&Rng::new(0), DType::F64, CPU);
        builder.get((2, 2), "p")?;
        builder.get(2, "b")?;
        let (p, b) = (
            parameters.named()["p"].clone(),
            parameters.named()["b"].clone(),
        );
        p.set(&wave(&[2, 2], 0.)?)?;
        b.set(&wave(&[2], 1.)?)?;
        let params = SgdParams {
            learning_rate: 0.1,
            momentum: 0.8,
            nesterov,
            weight_decay: 0.1,
        };
        let mut sgd = State::new(params, parameters.named())?;
        for _ in 0..4 {
            let loss = ((p.powf(4.)?.sum_all()? / 4.)? + (b.powf(4.)?.sum_all()? / 4.)?)?;
            sgd.step(&loss.backward()?)?;
        }
        assert_close(&values(&p), &p_expected, 1e-14);
        assert_close(&values(&b), &b_expected, 1e-14);
        assert_close(&values(&sgd.memory()["sgd.velocity.p"]), &velocity, 1e-14);
    }
    Ok(())
}

/// ```python
/// o = torch.optim.SGD([torch.zeros(1)], lr=1.0)                   # torch 2.15.0
/// s = torch.optim.lr_scheduler.OneCycleLR(o, max_lr=1.0, total_steps=10, cycle_momentum=False)
/// for i in range(10):
///     print(o.param_groups[0]["lr"]); o.step(); s.step() if i < 9 else None
/// ```
#[test]
fn one_cycle_is_that_of_pytorch() {
    let expected = [
        0.040000000000000036,
        0.52,
        1.0,
        0.9504846320134737,
        0.8117456539497631,
        0.6112620219362893,
        0.38874197806371075,
        0.18825834605023697,
        0.049519367986526286,
        4e-06,
    ];
    let factors: Vec<_> = (0..10)
        .map(|step| Schedule::ONE_CYCLE.factor(step, 10))
        .collect();
    assert_close(&factors, &expected, 1e-15);
    assert_eq!(Schedule::Constant.factor(3, 10), 1.);
    for steps in 1..5 {
        assert!(
            (0..steps).all(|step| (0. ..=1.).contains(&Schedule::ONE_CYCLE.factor(step, steps))),
            "{steps} steps"
        );
    }
}

/// A "network" whose logits are three times its input.
#[derive(Clone)]
struct Scaled;

impl Network for Scaled {
    fn stages(&self) -> usize {
        1
    }

    fn stage(&self, _: usize, x: &Tensor) -> Result<Tensor> {
        Ok((x * 3.)?)
    }
}

/// ```python
/// z = wave(3, 4, start=0.0).requires_grad_()                      # torch 2.15.0, wave and dtype as above
/// l = torch.nn.functional.cross_entropy(z * 3, torch.tensor([2, 0, 3]), label_smoothing=0.3)
/// l.backward(); print(l.item(), z.grad.flatten().tolist())
/// ```
#[test]
fn label_smoothing_is_that_of_pytorch() -> Result<()> {
    let z = Var::from_tensor(&wave(&[3, 4], 0.)?)?;
    let labels = Tensor::new(&[2u32, 0, 3], CPU)?;
    let batch = data(z.as_tensor(), &labels);
    let terms = LabelSmoothing { smoothing: 0.3 }.terms(&Scaled, &batch)?;
    assert_close(&values(&terms.loss), &[3.430214467875609], 1e-14);
    let expected = [
        [
            -0.04200895132986775,
            0.3368458902875908,
            -0.27021704100280813,
            -0.0246198979549149,
        ],
        [
            -0.7617084703538126,
            -0.06775173865540882,
            -0.01933854175222643,
            0.8487987507614482,
        ],
        [
            0.7656260752535196,
            0.07377389315167925,
            -0.0665513313785536,
            -0.772848637026645,
        ],
    ];
    assert_close(
        &values(terms.loss.backward()?.get(&z).unwrap()),
        &expected.concat(),
        1e-14,
    );
    let plain = cross_entropy(&(z.as_tensor() * 3.)?, &labels)?;
    assert_close(
        &values(&terms.cross_entropy.unwrap()),
        &values(&plain),
        1e-15,
    );
    let none = LabelSmoothing { smoothing: 0. }.loss(&Scaled, &batch)?;
    assert_close(&values(&none), &values(&plain), 1e-15);
    let all = message(LabelSmoothing { smoothing: 1. }.loss(&Scaled, &batch));
    assert_eq!(all, "smoothing is 1; expected a number in [0, 1)");
    Ok(())
}

/// Where the one bright pixel of each image may go.
#[test]
fn crops_and_mirror_images_move_pixels_and_change_none() -> Result<()> {
    let (n, size) = (2000, 6);
    let mut pixels = vec![0f32; n * size * size];
    pixels
        .iter_mut()
        .skip(2 * size + 1)
        .step_by(size * size)
        .for_each(|pixel| *pixel = 0.5);
    let images = Tensor::from_vec(pixels, (n, 1, size, size), CPU)?;
    let augmentation = Augmentation {
        crop_padding: 2,
        flip: true,
    };
    let moved = augmentation.apply(&images, &mut Rng::new(1))?;
    assert_eq!(
        values(&moved),
        values(&augmentation.apply(&images, &mut Rng::new(1))?)
    );
    assert_ne!(
        values(&moved),
        values(&augmentation.apply(&images, &mut Rng::new(2))?)
    );
    let mut seen = [[0usize; 6]; 6];
    let mut lost = 0;
    for image in values(&moved).chunks(size * size) {
        match image.iter().position(|pixel| *pixel == 0.5) {
            Some(at) => seen[at / size][at % size] += 1,
            None => lost += 1,
        }
        assert_eq!(
            image.iter().sum::<f64>(),
            if image.contains(&0.5) { 0.5 } else { 0. }
        );
    }
    // From column 1 by −2 to 2 columns: one in five leaves the image; mirrored, column x is 5 − x.
    assert!(
        (330..470).contains(&lost),
        "{lost} of {n} lost; expected a fifth"
    );
    for (row, seen) in seen.iter().enumerate() {
        for (column, &count) in seen.iter().enumerate() {
            let ways = [column, 5 - column]
                .iter()
                .filter(|&&column| column <= 3)
                .count();
            let expected = if row <= 4 { ways * n / 50 } else { 0 };
            assert!(
                count.abs_diff(expected) <= 30,
                "({row}, {column}): {count}; expected about {expected}"
            );
        }
    }
    // All channels of an image go the same way.
    let rgb = images.broadcast_as((n, 3, size, size))?.contiguous()?;
    let rgb = augmentation.apply(&rgb, &mut Rng::new(1))?;
    assert_eq!(values(&rgb.narrow(1, 2, 1)?), values(&moved));

    let none = Augmentation::default().apply(&images, &mut Rng::new(1))?;
    assert_eq!(values(&none), values(&images));
    let flat = message(augmentation.apply(&images.flatten_from(1)?, &mut Rng::new(1)));
    assert_eq!(
        flat,
        "augmentation: images has shape [2000, 36]; expected (N, C, H, W)"
    );
    Ok(())
}

/// Two kinds of 8×8 images, bright above or below.
fn halves() -> Result<Dataset> {
    let labels = Tensor::from_iter((0..48).map(|i| i % 2u32), CPU)?;
    let noise = Rng::new(3).uniform((48, 3, 8, 8), 0., 0.4, DType::F32, CPU)?;
    let bright = Tensor::from_iter(
        (0..48 * 192).map(|i| {
            if (i / 192 % 2 == 0) == (i / 32 % 2 == 0) {
                0.6f32
            } else {
                0.
            }
        }),
        CPU,
    )?;
    Dataset::new((noise + bright.reshape((48, 3, 8, 8))?)?, labels)
}

fn tiny() -> Result<Model<ResNet>> {
    let params = ResNetParams {
        depths: [1; 4],
        classes: 2,
        ..ResNetParams::cifar10(18, 2)?
    };
    Model::on(5, DType::F32, CPU, move |vb| {
        ResNet::new(params.clone(), vb)
    })
}

#[test]
fn a_killed_training_of_a_residual_network_goes_on_to_the_same_numbers() -> Result<()> {
    let images = halves()?;
    let folder = tempfile::tempdir().unwrap();
    let sgd = SgdParams {
        learning_rate: 0.05,
        ..SgdParams::default()
    };
    let params = |checkpoint: Option<&str>| TrainParams {
        epochs: 6,
        batch_size: 20,
        optimizer: Optimizer::Sgd(sgd),
        schedule: Schedule::ONE_CYCLE,
        augmentation: Augmentation {
            crop_padding: 1,
            flip: true,
        },
        checkpoint: checkpoint.map(|name| folder.path().join(name)),
        progress: Progress::Hidden,
        ..TrainParams::default()
    };
    let run = |params: &TrainParams, stop: Option<usize>| -> Result<Vec<f64>> {
        let network = tiny()?;
        let params = TrainParams {
            observer: observer(move |status| {
                // As a kill in the middle of an epoch: nothing after it is written.
                assert!(
                    stop != Some(status.epoch) || status.batch < status.batches,
                    "stopped"
                );
            }),
            ..params.clone()
        };
        let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            train(&network, &images, &CrossEntropy, &params)
        }));
        match killed {
            Ok(history) => assert_eq!(history?.epochs.len(), 6),
            Err(_) => assert!(stop.is_some()),
        }
        Ok(weights(network.parameters()))
    };
    let whole = run(&params(None), None)?;
    run(&params(Some("run")), Some(3))?;
    assert_eq!(run(&params(Some("run")), None)?, whole);

    let refused = |change: &dyn Fn(&mut TrainParams)| -> Result<String> {
        let mut params = params(Some("run"));
        change(&mut params);
        Ok(message(train(&tiny()?, &images, &CrossEntropy, &params)))
    };
    assert!(refused(&|params| params.epochs = 9)?.contains("schedule is"));
    assert!(refused(&|params| params.augmentation.flip = false)?.contains("augmentation is"));
    assert!(
        refused(&|params| params.optimizer = AdamParams::default().into())?
            .contains("optimizer is")
    );
    Ok(())
}

/// The mean of the weights after each step, by runs of one, two and three steps.
#[test]
fn averaged_weights_are_the_mean_over_all_steps() -> Result<()> {
    let images = halves()?;
    let folder = tempfile::tempdir().unwrap();
    let run = |epochs, batch_size, average, checkpoint: Option<&str>| -> Result<Model<ResNet>> {
        let network = tiny()?;
        let params = TrainParams {
            epochs,
            batch_size,
            optimizer: SgdParams {
                learning_rate: 0.05,
                ..SgdParams::default()
            }
            .into(),
            average,
            checkpoint: checkpoint.map(|name| folder.path().join(name)),
            progress: Progress::Hidden,
            ..TrainParams::default()
        };
        train(&network, &images, &CrossEntropy, &params)?;
        Ok(network)
    };
    let named = |network: &Model<ResNet>| -> Vec<(String, Vec<f64>)> {
        let named = network.parameters().named();
        named
            .iter()
            .map(|(name, var)| (name.clone(), values(var)))
            .collect()
    };
    let end = |epochs| -> Result<_> { Ok(named(&run(epochs, 48, false, None)?)) };
    let (one, two, three) = (end(1)?, end(2)?, end(3)?);
    let averaged = run(3, 48, true, None)?;
    let all = named(&averaged);
    for (index, (name, got)) in all
        .iter()
        .enumerate()
        .filter(|(_, (name, _))| !name.contains("running"))
    {
        let mean: Vec<f64> = (0..got.len())
            .map(|at| (one[index].1[at] + two[index].1[at] + three[index].1[at]) / 3.)
            .collect();
        assert_close(
            got,
            &mean,
            1e-6 * mean.iter().fold(1., |most: f64, mean| most.max(mean.abs())),
        );
        assert_ne!(got, &three[index].1, "{name}");
    }

    // Running statistics are those of the averaged network: seeing all images once more changes
    // them no further.
    let running = |end: &Model<ResNet>| -> Vec<f64> {
        named(end)
            .into_iter()
            .filter(|(name, _)| name.contains("running"))
            .flat_map(|(_, values)| values)
            .collect()
    };
    let refreshed = running(&averaged);
    averaged.forward(&images.inputs)?;
    let most = refreshed
        .iter()
        .fold(1., |most: f64, value| most.max(value.abs()));
    assert_close(&refreshed, &running(&averaged), 1e-5 * most);
    let last = run(3, 48, false, None)?;
    let plain = running(&last);
    last.forward(&images.inputs)?;
    assert!(
        plain
            .iter()
            .zip(running(&last))
            .any(|(a, b)| (a - b).abs() > 1e-2),
        "three epochs do not settle them"
    );

    // In parts of several steps, the same; and no run without the mean is taken for one with it.
    let all = named(&run(3, 20, true, None)?);
    run(1, 20, true, Some("run"))?;
    assert_eq!(named(&run(3, 20, true, Some("run"))?), all);
    assert_eq!(named(&run(3, 20, true, Some("run"))?), all);
    assert!(message(run(3, 20, false, Some("run"))).contains("average is true"));
    Ok(())
}

#[test]
fn a_residual_network_learns() -> Result<()> {
    let images = halves()?;
    let network = tiny()?;
    for optimizer in [
        Optimizer::Sgd(SgdParams::default()),
        AdamParams {
            learning_rate: 1e-2,
            ..AdamParams::default()
        }
        .into(),
    ] {
        let params = TrainParams {
            epochs: 20,
            batch_size: 16,
            optimizer,
            progress: Progress::Hidden,
            ..TrainParams::default()
        };
        train(&network, &images, &CrossEntropy, &params)?;
        let accuracy = accuracy(&network, &images)?;
        assert!(accuracy > 0.9, "{accuracy} with {optimizer:?}");
    }
    Ok(())
}

#[test]
fn bad_parameters_are_refused() {
    let sgd = |change: &dyn Fn(&mut SgdParams)| {
        let mut params = SgdParams::default();
        change(&mut params);
        message(State::new(params, Parameters::new().named()))
    };
    assert_eq!(
        sgd(&|p| p.momentum = 1.),
        "momentum is 1; expected a number in [0, 1)"
    );
    assert_eq!(
        sgd(&|p| p.weight_decay = -1.),
        "weight_decay is -1; expected a finite number ≥ 0"
    );
    assert_eq!(
        sgd(&|p| p.learning_rate = f64::NAN),
        "learning_rate is NaN; expected a finite number ≥ 0"
    );
    assert!(State::new(AdamParams::default(), Parameters::new().named()).is_ok());
    let cycle = |warm_up, start, end| {
        message(
            Schedule::OneCycle {
                warm_up,
                start,
                end,
            }
            .validate(),
        )
    };
    assert_eq!(
        cycle(0., 0.1, 0.),
        "warm_up is 0; expected a number in (0, 1)"
    );
    assert_eq!(
        cycle(0.5, 1.5, 0.),
        "start is 1.5; expected a number in [0, 1]"
    );
    assert_eq!(
        cycle(0.5, 0.5, -1.),
        "end is -1; expected a number in [0, 1]"
    );
}
