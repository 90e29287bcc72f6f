//! Adam, the training loop, checkpoints, several networks at once, and scores.

mod common;

use std::path::Path;
use std::sync::{Arc, Mutex};

use common::{CPU, assert_close, build, data, message, observer, values, wave, weights};
use isopath::candle::{DType, Tensor, Var};
use isopath::datasets::Dataset;
use isopath::losses::{CrossEntropy, IsometricLoss, Loss};
use isopath::metrics;
use isopath::models::{Mlp, Model, Network, Parameters};
use isopath::ops::{AdamStep, adam, adam_composite};
use isopath::optimizers::{AdamParams, State};
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::training::{History, Status, TrainParams, in_parallel, train};
use isopath::{Error, Result};

const SIZES: [usize; 4] = [20, 16, 16, 3];

/// Three clouds of 70 points, the label the nearest centre.
fn clouds() -> Result<Dataset> {
    let rng = Rng::new(11);
    let centres = rng
        .stream("centres")
        .normal((3, 20), 0., 1., DType::F32, CPU)?;
    let labels = Tensor::from_iter((0..210).map(|i| i % 3u32), CPU)?;
    let noise = rng
        .stream("noise")
        .normal((210, 20), 0., 0.7, DType::F32, CPU)?;
    Dataset::new((centres.index_select(&labels, 0)? + noise)?, labels)
}

/// Trains a new network; its weights, as numbers, and its history.
fn run(params: &TrainParams, loss: &dyn Loss) -> Result<(Vec<f64>, History)> {
    let mlp = build(&SIZES, 1, DType::F32)?;
    let history = train(&mlp, &clouds()?, loss, params)?;
    Ok((weights(mlp.parameters()), history))
}

/// [`run`], of which `hear` hears.
fn run_heard(
    params: &TrainParams,
    loss: &dyn Loss,
    hear: impl Fn(&Status) + Clone + Send + Sync + 'static,
) -> Result<(Vec<f64>, History)> {
    let params = TrainParams {
        observer: observer(hear),
        ..params.clone()
    };
    run(&params, loss)
}

fn params(epochs: usize) -> TrainParams {
    TrainParams {
        epochs,
        batch_size: 32,
        progress: Progress::Hidden,
        ..TrainParams::default()
    }
}

/// A history without its times.
fn numbers(history: &History) -> Vec<f64> {
    let option = |value: Option<f64>| value.unwrap_or(f64::NAN);
    let all = |e: &isopath::training::Epoch| {
        [
            e.loss,
            option(e.cross_entropy),
            option(e.isometric),
            option(e.accuracy),
        ]
    };
    history.epochs.iter().flat_map(all).collect()
}

/// ```python
/// import torch                                                    # 2.15.0
/// torch.set_default_dtype(torch.float64)
/// def wave(n, start): return torch.sin(torch.arange(n) + start)
/// p = wave(4, start=0).requires_grad_()
/// opt = torch.optim.Adam([p], lr=0.1, betas=(0.8, 0.9), eps=1e-6)
/// for step in range(5):
///     opt.zero_grad(); (p**3 + wave(4, start=step) * p).sum().backward(); opt.step()
/// s = opt.state[p]; print(p.tolist(), s["exp_avg"].tolist(), s["exp_avg_sq"].tolist())
/// ```
#[test]
fn adam_is_that_of_pytorch() -> Result<()> {
    let parameters = Parameters::new();
    parameters
        .builder(&Rng::new(0), DType::F64, CPU)
        .get(4, "p")?;
    let p = parameters.named()["p"].clone();
    p.set(&wave(&[4], 0.)?)?;
    let params = AdamParams {
        learning_rate: 0.1,
        beta1: 0.8,
        beta2: 0.9,
        eps: 1e-6,
    };
    let mut adam = State::new(params, parameters.named())?;
    for step in 0..5 {
        let loss = (p.powf(3.)? + (wave(&[4], step as f64)? * p.as_tensor())?)?.sum_all()?;
        adam.step(&loss.backward()?)?;
    }
    let expected = [
        -0.2745529309596109,
        0.4178192309317391,
        0.49309758125617126,
        0.259892282073066,
    ];
    assert_close(&values(&p), &expected, 1e-14);
    let first = [
        0.1249986344799992,
        0.6478981940712372,
        0.7609629129811184,
        -0.039470967854512554,
    ];
    assert_close(
        &values(&adam.memory()["adam.first_moment.p"]),
        &first,
        1e-14,
    );
    let second = [
        0.1589782418389751,
        1.2183205199801024,
        1.1737040269898706,
        0.18842786020347518,
    ];
    assert_close(
        &values(&adam.memory()["adam.second_moment.p"]),
        &second,
        1e-14,
    );
    assert_eq!(adam.steps, 5);
    Ok(())
}

/// ```python
/// p = torch.tensor([0.1, -2.0, 3.0]).requires_grad_()             # torch 2.15.0, float32
/// opt = torch.optim.Adam([p])
/// for step in range(100):
///     opt.zero_grad(); (p**4 / 4).sum().backward(); opt.step()
/// print(p.tolist())
/// ```
#[test]
fn adams_defaults_are_those_of_pytorch() -> Result<()> {
    let parameters = Parameters::new();
    parameters
        .builder(&Rng::new(0), DType::F32, CPU)
        .get(3, "p")?;
    let p = parameters.named()["p"].clone();
    p.set(&Tensor::new(&[0.1f32, -2., 3.], CPU)?)?;
    let mut adam = State::new(AdamParams::default(), parameters.named())?;
    for _ in 0..100 {
        adam.step(&(p.powf(4.)? / 4.)?.sum_all()?.backward()?)?;
    }
    assert_close(
        &values(&p),
        &[0.042420729994773865, -1.902543306350708, 2.9016950130462646],
        2e-6,
    );
    Ok(())
}

#[test]
fn adam_in_place_is_its_composite() -> Result<()> {
    for (dtype, tolerance) in [(DType::F32, 1e-6), (DType::F64, 1e-15)] {
        // The last one is halved.
        for n in [1, 15, 16, 17, 1000, 50_001] {
            let draw = |name: &str| Rng::new(1).stream(name).uniform(n, 0., 1., dtype, CPU);
            let step = AdamStep {
                step_size: 0.01,
                correction: 0.3,
                beta1: 0.9,
                beta2: 0.999,
                eps: 1e-8,
            };
            let state = || -> Result<[Var; 3]> {
                let var = |name: &str| -> Result<Var> { Ok(Var::from_tensor(&draw(name)?)?) };
                Ok([var("theta")?, var("m")?, var("v")?])
            };
            let gradient = (draw("gradient")? - 0.5)?;
            let ([a, ma, va], [b, mb, vb]) = (state()?, state()?);
            adam(&a, &ma, &va, &gradient, step)?;
            adam_composite(&b, &mb, &vb, &gradient, step)?;
            for (fused, composite) in [(a, b), (ma, mb), (va, vb)] {
                assert_close(&values(&fused), &values(&composite), tolerance);
            }
        }
    }
    let var = |n: usize| Var::zeros(n, DType::F32, CPU).unwrap();
    let step = AdamStep {
        step_size: 0.01,
        correction: 0.3,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
    };
    assert!(adam(&var(3), &var(3), &var(3), &var(2), step).is_err());
    assert!(adam(&var(3), &var(2), &var(3), &var(3), step).is_err());
    // Memory that is read and written at once would wait for itself.
    let (theta, m) = (var(3), var(3));
    assert!(adam(&theta, &m, &m, &var(3), step).is_err());
    assert!(adam(&theta, &m, &var(3), &theta.as_detached_tensor(), step).is_err());
    Ok(())
}

#[test]
fn training_learns_and_tells_how() -> Result<()> {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let adam = AdamParams {
        learning_rate: 1e-2,
        ..AdamParams::default()
    };
    let params = TrainParams {
        optimizer: adam.into(),
        ..params(10)
    };
    let heard = reports.clone();
    let (_, history) = run_heard(&params, &IsometricLoss::default(), move |status| {
        heard.lock().unwrap().push(status.clone())
    })?;
    let reports = reports.lock().unwrap();
    let (first, last) = (&history.epochs[0], &history.epochs[9]);
    assert_eq!(history.epochs.len(), 10);
    assert!(
        last.loss < 0.5 * first.loss && last.accuracy.unwrap() > 0.9,
        "{history:?}"
    );
    for epoch in &history.epochs {
        let sum = epoch.cross_entropy.unwrap() + 0.1 * epoch.isometric.unwrap();
        assert!((epoch.loss - sum).abs() < 1e-5 && epoch.seconds > 0.);
    }
    // One report an epoch at least; the last one of each epoch has the epoch's means.
    let ends: Vec<_> = reports.iter().filter(|p| p.batch == p.batches).collect();
    assert_eq!(
        ends.iter().map(|p| p.means.clone()).collect::<Vec<_>>(),
        history.epochs
    );
    assert_eq!(
        (
            ends[9].epoch,
            ends[9].epochs,
            ends[9].batches,
            ends[9].seconds_left
        ),
        (10, 10, 7, 0.)
    );
    let line = ends[9].to_string();
    assert!(
        line.starts_with("epoch 10/10: loss 0.") && !line.contains('\n'),
        "{line}"
    );
    // A notebook writes it as JSON.
    let json = serde_json::to_string(&history).unwrap();
    assert!(json.starts_with(r#"{"epochs":[{"loss":"#), "{json}");
    Ok(())
}

#[test]
fn history_is_the_mean_over_all_images() -> Result<()> {
    // A step size of 0 leaves the network as it is, so the history must be what the whole set
    // gives.
    let adam = AdamParams {
        learning_rate: 0.,
        ..AdamParams::default()
    };
    let (_, history) = run(
        &TrainParams {
            optimizer: adam.into(),
            ..params(1)
        },
        &CrossEntropy,
    )?;
    let (mlp, clouds) = (build(&SIZES, 1, DType::F32)?, clouds()?);
    let loss = CrossEntropy.loss(&mlp, &clouds)?.to_scalar::<f32>()?;
    let accuracy = metrics::accuracy(&mlp, &clouds)?;
    assert_close(
        &[history.epochs[0].loss, history.epochs[0].accuracy.unwrap()],
        &[loss as f64, accuracy],
        1e-6,
    );
    assert_eq!(history.epochs[0].isometric, None);
    Ok(())
}

#[test]
fn seed_decides_everything() -> Result<()> {
    let loss = IsometricLoss::default();
    let (weights, history) = run(&params(2), &loss)?;
    let again = run(&params(2), &loss)?;
    assert_eq!((&again.0, numbers(&again.1)), (&weights, numbers(&history)));
    assert_ne!(
        run(
            &TrainParams {
                seed: 1,
                ..params(2)
            },
            &loss
        )?
        .0,
        weights
    );
    Ok(())
}

/// candle reads the number of threads from the environment, so every number gets a process of its
/// own: this test, started again.
#[test]
fn number_of_threads_changes_no_bit() -> Result<()> {
    const CHILD: &str = "ISOPATH_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        // Large enough for every matrix product to be shared between threads.
        let mlp = build(&[784, 100, 100, 10], 1, DType::F32)?;
        let images = Rng::new(2).uniform((250, 784), 0., 1., DType::F32, CPU)?;
        let labels = Tensor::from_iter((0..250).map(|i| i % 10u32), CPU)?;
        let params = TrainParams {
            batch_size: 100,
            ..params(2)
        };
        let images = Dataset::new(images, labels)?;
        let history = train(&mlp, &images, &IsometricLoss::default(), &params)?;
        let bits = |v: &f64| v.to_bits();
        let sum = weights(mlp.parameters())
            .iter()
            .map(bits)
            .fold(0u64, |sum, bits| sum.rotate_left(1) ^ bits);
        println!("run {sum} {:?}", numbers(&history));
        return Ok(());
    }
    let with = |threads: &str| {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "number_of_threads_changes_no_bit", "--nocapture"])
            .env(CHILD, "1")
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .find(|line| line.starts_with("run "))
            .unwrap()
            .to_string()
    };
    let one = with("1");
    for threads in ["2", "3", "8"] {
        assert_eq!(with(threads), one, "{threads} threads");
    }
    Ok(())
}

#[test]
fn interrupted_run_ends_where_a_whole_one_does() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs/a.safetensors");
    let with = |epochs| TrainParams {
        checkpoint: Some(path.clone()),
        ..params(epochs)
    };
    let loss = IsometricLoss::default();
    let (whole, history) = run(&params(5), &loss)?;

    // Interrupted in the third epoch: as if the process had ended, by a panic in the callback.
    let interrupted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run_heard(&with(5), &loss, |status| assert!(status.epoch < 3))
    }));
    assert!(interrupted.is_err() && path.exists());
    let epochs = Arc::new(Mutex::new(Vec::new()));
    let heard = epochs.clone();
    let hear = move |status: &Status| heard.lock().unwrap().push(status.epoch);
    let (resumed, resumed_history) = run_heard(&with(5), &loss, hear)?;
    let mut epochs = epochs.lock().unwrap().clone();
    assert_eq!(resumed, whole);
    assert_close(&numbers(&resumed_history), &numbers(&history), 1e-15);
    epochs.dedup();
    assert_eq!(epochs, [4, 5]);

    // A finished run is only loaded; more epochs go on from it.
    let (loaded, _) = run_heard(&with(5), &loss, |_| panic!("nothing is left to do"))?;
    assert_eq!(loaded, whole);
    assert_eq!(run(&with(7), &loss)?.0, run(&params(7), &loss)?.0);
    let text = message(run(&with(5), &loss));
    assert!(
        text.ends_with("7 epochs; expected at most 5 epochs (ask for more, or move the file away to start again)"),
        "{text}"
    );

    // Other tools find the weights under their plain names.
    let tensors = isopath::candle::safetensors::load(&path, CPU)?;
    assert_eq!(tensors["layers.0.weight"].dims(), [16, 20]);
    assert_eq!(tensors.len(), 3 * 6);
    assert_eq!(
        std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1
    );
    Ok(())
}

#[test]
fn checkpoint_of_another_run_is_refused() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let base = TrainParams {
        checkpoint: Some(path.clone()),
        ..params(1)
    };
    let loss = IsometricLoss::default();
    run(&base, &loss)?;
    let before = std::fs::read(&path).unwrap();

    let refused = |params: &TrainParams, loss: &dyn Loss, name: &str| {
        let text = message(run(params, loss));
        assert!(
            text.contains(&format!("{name} is ")) && text.contains("another run's checkpoint"),
            "{text}"
        );
        assert!(!text.contains('\n'));
    };
    refused(
        &TrainParams {
            seed: 3,
            ..base.clone()
        },
        &loss,
        "seed",
    );
    refused(
        &TrainParams {
            batch_size: 31,
            ..base.clone()
        },
        &loss,
        "batch size",
    );
    let adam = AdamParams {
        learning_rate: 2e-3,
        ..AdamParams::default()
    };
    refused(
        &TrainParams {
            optimizer: adam.into(),
            ..base.clone()
        },
        &loss,
        "optimizer",
    );
    refused(
        &base,
        &IsometricLoss {
            beta: 1.,
            ..IsometricLoss::default()
        },
        "loss",
    );
    refused(&base, &CrossEntropy, "loss");
    refused(
        &TrainParams {
            context: "another network".into(),
            ..base.clone()
        },
        &loss,
        "context",
    );

    let mlp = build(&SIZES, 2, DType::F32)?;
    let clouds = clouds()?;
    let start = weights(mlp.parameters());
    let text = message(train(&mlp, &clouds, &loss, &base));
    assert!(text.contains("digest of the initial weights is "), "{text}");
    assert_eq!(weights(mlp.parameters()), start);
    let mlp = build(&SIZES, 1, DType::F32)?;
    let other = data(&clouds.inputs, &clouds.labels.zeros_like()?);
    let text = message(train(&mlp, &other, &loss, &base));
    assert!(text.contains("digest of the labels is "), "{text}");

    // Torn files and files of weights alone.
    assert_eq!(std::fs::read(&path).unwrap(), before);
    std::fs::write(&path, &before[..before.len() / 2]).unwrap();
    assert!(message(run(&base, &loss)).contains("expected a whole safetensors file"));
    mlp.save(&path)?;
    assert!(message(run(&base, &loss)).contains("no run; expected a checkpoint of training"));
    Ok(())
}

#[test]
fn failures_are_errors_and_write_nothing() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let adam = AdamParams {
        learning_rate: 1e39,
        ..AdamParams::default()
    };
    let wild = TrainParams {
        optimizer: adam.into(),
        checkpoint: Some(path.clone()),
        ..params(3)
    };
    let text = message(run(
        &wild,
        &IsometricLoss {
            beta: 1e10,
            ..IsometricLoss::default()
        },
    ));
    assert!(
        text.starts_with("loss is ") && text.contains("expected finite numbers in epoch 1"),
        "{text}"
    );
    assert!(!Path::new(&path).exists());
    // The last step of an epoch, which no loss tells of.
    let adam = AdamParams {
        learning_rate: 1e39,
        ..AdamParams::default()
    };
    let last = TrainParams {
        batch_size: 210,
        optimizer: adam.into(),
        checkpoint: Some(path.clone()),
        ..params(1)
    };
    let text = message(run(&last, &CrossEntropy));
    assert_eq!(
        text,
        "weights is NaN or ∞; expected finite after epoch 1 (a smaller learning rate may help)"
    );
    assert!(!Path::new(&path).exists());

    let text = |params: TrainParams| message(run(&params, &CrossEntropy));
    assert_eq!(text(params(0)), "epochs is 0; expected at least 1");
    assert_eq!(
        text(TrainParams {
            batch_size: 0,
            ..params(1)
        }),
        "batch_size is 0; expected at least 1"
    );
    for learning_rate in [-1., f64::NAN] {
        let adam = AdamParams {
            learning_rate,
            ..AdamParams::default()
        };
        assert_eq!(
            text(TrainParams {
                optimizer: adam.into(),
                ..params(1)
            }),
            format!("learning_rate is {learning_rate}; expected a finite number ≥ 0")
        );
    }
    let adam = AdamParams {
        beta2: 1.,
        ..AdamParams::default()
    };
    assert_eq!(
        text(TrainParams {
            optimizer: adam.into(),
            ..params(1)
        }),
        "beta2 is 1; expected a number in [0, 1)"
    );

    let mlp = build(&SIZES, 1, DType::F32)?;
    let Dataset {
        inputs: images,
        labels,
        ..
    } = clouds()?;
    let text = |images: &Tensor, labels: &Tensor| {
        message(train(
            &mlp,
            &data(images, labels),
            &CrossEntropy,
            &params(1),
        ))
    };
    assert_eq!(
        text(&images, &labels.narrow(0, 0, 9)?),
        "train: labels has shape [9]; expected (210,), one for each input"
    );
    assert!(text(&images.narrow(0, 0, 0)?, &labels).starts_with("train: inputs has shape [0, 20]"));
    assert!(
        text(&images, &(&labels + &labels)?).contains("expected below 3, the number of classes")
    );
    Ok(())
}

#[test]
fn networks_side_by_side_are_those_trained_alone() -> Result<()> {
    let betas = [0., 0.01, 0.1, 1., 10.];
    let one = |beta: &f64| {
        Ok(run(
            &params(1),
            &IsometricLoss {
                beta: *beta,
                ..IsometricLoss::default()
            },
        )?
        .0)
    };
    let alone: Vec<_> = betas.iter().map(one).collect::<Result<_>>()?;
    assert_eq!(in_parallel(&betas, one)?, alone);
    assert_eq!(in_parallel(&[] as &[f64], one)?, Vec::<Vec<f64>>::new());
    // The first error, and the rest is left alone.
    let (items, begun) = (
        (0..1000).collect::<Vec<usize>>(),
        std::sync::atomic::AtomicUsize::new(0),
    );
    let failing: Result<Vec<()>> = in_parallel(&items, |item| {
        begun.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if *item < 10 {
            Ok(())
        } else {
            Err(Error::argument("item", "below 10", item))
        }
    });
    assert_eq!(message(failing), "item is 10; expected below 10");
    // At most one more on each thread that is under way.
    assert!(
        begun.into_inner() <= 10 + 2 * rayon::current_num_threads(),
        "the rest is begun all the same"
    );
    Ok(())
}

/// Answers with its input.
#[derive(Clone)]
struct Same;

impl Network for Same {
    fn stages(&self) -> usize {
        1
    }

    fn stage(&self, _: usize, x: &Tensor) -> Result<Tensor> {
        Ok(x.clone())
    }
}

#[test]
fn scores_count_right_answers() -> Result<()> {
    let logits = Tensor::new(
        &[
            [0f32, 1., 0.],
            [3., 2., 1.],
            [1., 1., 0.],
            [-2., -3., -1.],
            [0., 0., 9.],
        ],
        CPU,
    )?;
    let labels = Tensor::new(&[1u32, 0, 1, 2, 0], CPU)?;
    // One batch, and several: 200 inputs go through a network together.
    for times in [1, 41, 200] {
        let logits = logits.repeat((times, 1))?;
        let answers = metrics::predictions(&Same, &logits)?;
        assert_eq!(answers.to_vec1::<u32>()?, [1, 0, 0, 2, 2].repeat(times));
        let whole = isopath::prelude::nn::ops::softmax(&logits, 1)?.to_vec2::<f32>()?;
        let found = metrics::probabilities(&Same, &logits)?;
        assert_eq!(found.to_vec2::<f32>()?, whole);
        let repeated = data(&logits, &labels.repeat(times)?);
        assert_eq!(metrics::accuracy(&Same, &repeated)?, 0.6);
    }
    let short = data(&logits, &labels.narrow(0, 0, 4)?);
    assert!(message(metrics::accuracy(&Same, &short)).contains("labels has shape [4]"));
    assert!(
        message(metrics::predictions(&Same, &logits.narrow(0, 0, 0)?))
            .contains("inputs has shape [0, 3]")
    );
    let beyond = data(&logits, &(&labels + &labels.ones_like()?)?);
    assert_eq!(
        message(metrics::accuracy(&Same, &beyond)),
        "label is 3; expected below 3, the number of classes"
    );
    let hole = Tensor::new(&[[0f32, 1., 0.], [f32::NAN; 3]], CPU)?;
    assert_eq!(
        message(metrics::predictions(&Same, &hole)),
        "logit is NaN; expected a number; check the inputs and the weights for NaN"
    );
    Ok(())
}

/// Real training runs use [`Mlp`] behind the trait; it can be shared between threads.
#[test]
fn networks_can_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<Mlp>();
    shared::<Parameters>();
    shared::<State>();
    shared::<Model<Mlp>>();
}

/// Logits whose sum in f16 is ∞ − ∞ in some orders, and those of which one is ∞: numbers all.
#[test]
fn huge_logits_are_scored_and_a_hole_is_seen() -> Result<()> {
    let huge = [[6e4f32, -6e4, -6e4], [-6e4, -6e4, 6e4], [6e4, 6e4, 5e4]];
    let huge = Tensor::new(&huge, CPU)?.repeat((100, 1))?;
    for dtype in [DType::F16, DType::BF16, DType::F32] {
        let answers = metrics::predictions(&Same, &huge.to_dtype(dtype)?)?;
        assert_eq!(answers.to_vec1::<u32>()?, [0, 2, 0].repeat(100));
    }
    let infinite = Tensor::new(&[[f32::INFINITY, f32::NEG_INFINITY, 0.]], CPU)?;
    let answers = metrics::predictions(&Same, &infinite)?;
    assert_eq!(answers.to_vec1::<u32>()?, [0]);
    for dtype in [DType::F16, DType::F32] {
        let hole = Tensor::new(&[[0f32, 1., f32::NAN]], CPU)?.to_dtype(dtype)?;
        assert_eq!(
            message(metrics::predictions(&Same, &hole)),
            "logit is NaN; expected a number; check the inputs and the weights for NaN"
        );
    }
    Ok(())
}
