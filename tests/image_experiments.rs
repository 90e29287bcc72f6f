//! The trainings on photographs as experiments, at tiny sizes: the paper's network, decoders,
//! weights that are carried.

mod common;

use std::path::Path;

use common::{CPU, message, values};
use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::datasets::Images;
use isopath::experiments::cifar10::{self, Initial, Method, Phase};
use isopath::experiments::connectivity_cifar10::Space;
use isopath::experiments::decoders;
use isopath::losses::{Loss as _, Reconstruction};
use isopath::models::resnet::Stem;
use isopath::models::{
    Decoder, DecoderParams, Network as _, Parameters, ResNet, ResNetParams, enlarge,
};
use isopath::rng::Rng;
use isopath::scale::Scale;

/// 60 images of 32×32 pixels, those of each class around one colour, and 40 more of the same kind
/// for the test.
fn images() -> Result<Images> {
    let mut rng = Rng::new(1);
    let colours = rng.uniform((10, 3, 1, 1), 0.2, 0.8, DType::F32, CPU)?;
    let mut set = |count: u32| -> Result<(Tensor, Tensor)> {
        let labels = Tensor::from_iter((0..count).map(|index| index % 10), CPU)?;
        let noise = rng.uniform((count as usize, 3, 32, 32), -0.1, 0.1, DType::F32, CPU)?;
        Ok((
            noise.broadcast_add(&colours.index_select(&labels, 0)?)?,
            labels,
        ))
    };
    let ((train_images, train_labels), (test_images, test_labels)) = (set(60)?, set(40)?);
    Ok(Images {
        train_images,
        train_labels,
        test_images,
        test_labels,
        classes: 10,
    })
}

/// The paper's training at a size for a test.
fn paper(initial: Initial) -> cifar10::Settings {
    let paper = cifar10::Settings::of(Scale::Paper);
    let phases = vec![Phase {
        epochs: 2,
        ..paper.phases[0]
    }];
    cifar10::Settings {
        depth: 18,
        width: 2,
        side: 64,
        phases,
        batch_size: 20,
        initial,
        ..paper
    }
}

#[test]
fn the_paper_s_training_begins_with_given_weights_and_goes_on() -> Result<()> {
    let images = images()?;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let random = paper(Initial::Random);
    assert_eq!(
        (random.optimizer, random.network()?.stem),
        (Method::Adam, Stem::Imagenet)
    );
    let first = cifar10::run(&images, &random, CPU, Some(&file("run")), &mut |_| {})?;
    assert_eq!(first.history.epochs.len(), 2);
    first.parameters.save_as(file("weights"), DType::F16)?;

    // A run that is finished is taken up, weights and all.
    let again = cifar10::run(&images, &random, CPU, Some(&file("run")), &mut |_| {
        panic!("nothing is left")
    })?;
    assert_eq!(again.test_accuracy, first.test_accuracy);

    // Loaded in half precision: the answers of the network in evaluation mode, to that precision.
    let loaded = cifar10::load(&random, &file("weights"), CPU)?;
    let on = |network| cifar10::on_images(network, &random);
    let logits =
        |network| -> Result<Vec<f64>> { Ok(values(&on(network).forward(&images.test_images)?)) };
    let (ours, theirs) = (logits(&loaded)?, logits(&first.network.freeze()?)?);
    assert!(
        ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 0.02),
        "{ours:?} {theirs:?}"
    );
    let enlarged = enlarge(&images.test_images, 64)?;
    assert_eq!(values(&loaded.forward(&enlarged)?), ours);

    // A training from those weights begins with all but the last layer.
    let (_, parameters) = cifar10::build(&paper(Initial::File(file("weights"))), CPU)?;
    let (_, fresh) = cifar10::build(&random, CPU)?;
    let (begun, fresh, ended) = (parameters.named(), fresh.named(), first.parameters.named());
    for (name, var) in &begun {
        let expected = if name.starts_with("fc.") {
            &fresh[name]
        } else {
            &ended[name]
        };
        assert!(
            values(var)
                .iter()
                .zip(values(expected))
                .all(|(a, b)| (a - b).abs() <= 1e-3 * b.abs() + 1e-6),
            "{name}"
        );
    }
    Ok(())
}

#[test]
fn a_further_phase_goes_on_from_the_weights_of_the_one_before() -> Result<()> {
    let images = images()?;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let of = |phases: &[Phase]| cifar10::Settings {
        side: 32,
        phases: phases.to_vec(),
        ..paper(Initial::Random)
    };
    let (cycle, mean) = (Phase::cycle(1, 1e-3), Phase::mean(1, 1e-3));
    let (one, two) = (of(&[cycle]), of(&[cycle, Phase::cycle(2, 5e-4)]));
    let weights = |trained: &cifar10::Trained| {
        trained
            .parameters
            .named()
            .values()
            .flat_map(|var| values(var))
            .collect()
    };

    let mut seen = Vec::new();
    let mut note = |progress: &isopath::training::Progress| {
        if progress.batch == progress.batches {
            seen.push((progress.epoch, progress.epochs, progress.seconds_left > 0.));
        }
    };
    let whole = cifar10::run(&images, &two, CPU, Some(&file("whole")), &mut note)?;
    assert_eq!(seen, [(1, 3, true), (2, 3, true), (3, 3, false)]);

    let whole_history = whole.history.epochs.clone();

    let first = cifar10::run(&images, &one, CPU, Some(&file("parts")), &mut |_| {})?;
    let both = cifar10::run(&images, &two, CPU, Some(&file("parts")), &mut |_| {})?;
    let (first, both, whole): (Vec<f64>, Vec<f64>, Vec<f64>) =
        (weights(&first), weights(&both), weights(&whole));
    assert_eq!(both, whole);
    assert_ne!(first, both);

    // A mean is the end of a training or the beginning of what follows.
    let (averaged, longer) = (of(&[cycle, mean]), of(&[cycle, mean, cycle]));
    assert_eq!(
        [&two, &averaged, &longer].map(cifar10::Settings::epochs),
        [3, 2, 3]
    );
    let mean = cifar10::run(
        &images,
        &averaged,
        CPU,
        Some(&file("averaged")),
        &mut |_| {},
    )?;
    assert_eq!(mean.history.epochs.len(), 2);
    assert_eq!(mean.history.epochs[0].loss, whole_history[0].loss);
    assert_ne!(weights(&mean), first);
    let parts = cifar10::run(&images, &longer, CPU, Some(&file("averaged")), &mut |_| {})?;
    let whole = cifar10::run(&images, &longer, CPU, None, &mut |_| {})?;
    assert_eq!(weights(&parts), weights(&whole));
    assert_ne!(weights(&parts), weights(&mean));

    let refused = message(cifar10::run(&images, &of(&[]), CPU, None, &mut |_| {}));
    assert_eq!(refused, "phases is none; expected at least one phase");

    // What cannot run is found out before the first phase runs: a later phase's settings, or a file
    // of another training.
    let begun = |settings: &cifar10::Settings, name: &str| {
        message(cifar10::run(
            &images,
            settings,
            CPU,
            Some(&file(name)),
            &mut |_| panic!("a phase has begun"),
        ))
    };
    assert_eq!(
        begun(&of(&[cycle, Phase::cycle(0, 1e-3)]), "new"),
        "epochs is 0; expected at least 1"
    );
    let rate = begun(&of(&[cycle, Phase::cycle(1, f64::NAN)]), "new");
    assert_eq!(rate, "learning_rate is NaN; expected a finite number ≥ 0");
    assert!(!file("new").exists());
    std::fs::remove_file(file("parts")).unwrap();
    let stale = begun(&two, "parts");
    assert!(
        stale.contains("parts.2") && stale.contains("absent (move it away to begin anew)"),
        "{stale}"
    );
    // Other images of the same number, by their size.
    let larger = cifar10::Settings {
        side: 64,
        ..of(&[cycle])
    };
    cifar10::run(&images, &larger, CPU, Some(&file("enlarged")), &mut |_| {})?;
    let other = begun(&cifar10::Settings { side: 48, ..larger }, "enlarged");
    assert!(
        other.contains("context is") && other.contains("another run's checkpoint"),
        "{other}"
    );
    Ok(())
}

#[test]
fn decoders_learn_what_images_look_like() -> Result<()> {
    let images = images()?;
    let network = cifar10::Settings {
        depth: 18,
        width: 4,
        ..cifar10::Settings::default()
    };
    let (encoder, parameters) = cifar10::build(&network, CPU)?;
    // Running statistics of these images.
    for _ in 0..30 {
        encoder.forward(&images.train_images)?;
    }
    let training = encoder.clone();
    let encoder = encoder.freeze()?;
    let weight = &parameters.named()["layer1.0.conv1.weight"];
    weight.set(&(weight.as_tensor() * 1.01)?)?;
    let other = training.freeze()?;
    let folder = tempfile::tempdir().unwrap();
    for space in [Space::FirstStage, Space::Last] {
        let default = decoders::Settings::of(Scale::Default, space)?;
        let settings = decoders::Settings {
            network: network.clone(),
            filters: 4,
            batch_size: 6,
            learning_rate: 5e-3,
            ..default
        };
        let error = |epochs| -> Result<f64> {
            let settings = decoders::Settings {
                epochs,
                ..settings.clone()
            };
            let run = folder
                .path()
                .join(format!("{} of {epochs}", settings.name()));
            let trained =
                decoders::run(&encoder, &images, &settings, CPU, Some(&run), &mut |_| {})?;
            assert_eq!(trained.history.epochs.len(), epochs);
            let weights = folder.path().join(settings.name());
            trained.parameters.save(&weights)?;
            let loaded = decoders::load(&settings, &weights, CPU)?;
            assert_eq!(
                decoders::test_error(&encoder, &loaded, &settings, &images.test_images)?,
                trained.test_error
            );
            Ok(trained.test_error)
        };
        let (before, after) = (error(1)?, error(16)?);
        // The run of one network's decoder is not gone on with for another network.
        let begun = |encoder: &ResNet| {
            let run = folder.path().join(format!("{} of 16", settings.name()));
            let settings = decoders::Settings {
                epochs: 16,
                ..settings.clone()
            };
            decoders::run(encoder, &images, &settings, CPU, Some(&run), &mut |_| {
                panic!("nothing is left")
            })
        };
        assert_eq!(begun(&encoder)?.test_error, after);
        let other = message(begun(&other));
        assert!(
            other.contains("context is") && other.contains("another run's checkpoint"),
            "{other}"
        );
        assert!(after < 0.65 * before, "{space:?}: {before} {after}");
    }
    Ok(())
}

#[test]
fn the_error_is_the_mean_of_squared_differences() -> Result<()> {
    let images = images()?.test_images.narrow(0, 0, 3)?;
    let settings = decoders::Settings {
        network: paper(Initial::Random),
        filters: 2,
        ..decoders::Settings::of(Scale::Default, Space::FirstStage)?
    };
    let (encoder, _) = cifar10::build(&settings.network, CPU)?;
    let encoder = cifar10::on_images(&encoder.freeze()?, &settings.network);
    let parameters = Parameters::new();
    let builder = parameters.builder(&Rng::new(0), DType::F32, CPU);
    let decoder = Decoder::new(settings.decoder()?, builder)?.freeze()?;
    let loss = Reconstruction {
        encoder: &encoder,
        stage: settings.space.stage(),
    };
    // 64×64 pixels come out, and that is what the images are enlarged to.
    let (decoded, large) = (
        values(&loss.decoded(&decoder, &images)?),
        values(&enlarge(&images, 64)?),
    );
    assert_eq!(decoded.len(), 3 * 3 * 64 * 64);
    let squares: Vec<f64> = decoded
        .iter()
        .zip(&large)
        .map(|(a, b)| (a - b) * (a - b))
        .collect();
    let mean = |squares: &[f64]| squares.iter().sum::<f64>() / squares.len() as f64;
    let errors = values(&loss.errors(&decoder, &images)?);
    for (error, squares) in errors.iter().zip(squares.chunks(3 * 64 * 64)) {
        assert!((error - mean(squares)).abs() < 1e-6);
    }
    let labels = Tensor::zeros(3, DType::U32, CPU)?;
    let all = values(&loss.loss(&decoder, &images, &labels)?)[0];
    assert!((all - mean(&squares)).abs() < 1e-6);
    Ok(())
}

#[test]
fn the_error_s_gradient_is_its_slope() -> Result<()> {
    let (rng, parameters) = (Rng::new(3), Parameters::new());
    let own = Parameters::new();
    let encoder = ResNet::new(
        ResNetParams::cifar10(18, 2)?,
        own.builder(&rng, DType::F64, CPU),
    )?
    .freeze()?;
    let params = DecoderParams::FirstStage {
        channels: 2,
        filters: 2,
        doublings: 0,
    };
    let decoder = Decoder::new(params, parameters.builder(&rng, DType::F64, CPU))?;
    let images = images()?
        .test_images
        .narrow(0, 0, 2)?
        .to_dtype(DType::F64)?;
    let labels = Tensor::zeros(2, DType::U32, CPU)?;
    let reconstruction = Reconstruction {
        encoder: &encoder,
        stage: Space::FirstStage.stage(),
    };
    let loss = || reconstruction.loss(&decoder, &images, &labels);
    let gradients = loss()?.backward()?;
    let (h, mut largest) = (1e-6, 0f64);
    for (name, var) in parameters
        .named()
        .iter()
        .filter(|(name, _)| !name.contains("running"))
    {
        let gradient = values(gradients.get(var.as_tensor()).unwrap());
        let start = var.as_detached_tensor().copy()?;
        for index in [0, start.elem_count() / 2, start.elem_count() - 1] {
            let at = |step: f64| -> Result<f64> {
                let mut numbers = values(&start);
                numbers[index] += step;
                var.set(&Tensor::from_vec(numbers, start.shape(), CPU)?)?;
                Ok(loss()?.to_scalar()?)
            };
            let slope = (at(h)? - at(-h)?) / (2. * h);
            assert!(
                (slope - gradient[index]).abs() < 1e-8,
                "{name}[{index}]: {} is no slope {slope}",
                gradient[index]
            );
            largest = largest.max(slope.abs());
        }
        var.set(&start)?;
    }
    assert!(largest > 1e-3, "{largest}");
    Ok(())
}

#[test]
fn scales_have_the_paper_s_shapes() -> Result<()> {
    let of = |scale, space| -> Result<_> { decoders::Settings::of(scale, space)?.decoder() };
    assert_eq!(
        of(Scale::Paper, Space::FirstStage)?,
        DecoderParams::FirstStage {
            channels: 256,
            filters: 256,
            doublings: 2
        }
    );
    assert_eq!(
        of(Scale::Paper, Space::Last)?,
        DecoderParams::Features {
            features: 2048,
            filters: 256
        }
    );
    assert_eq!(
        of(Scale::Default, Space::FirstStage)?,
        DecoderParams::FirstStage {
            channels: 64,
            filters: 16,
            doublings: 0
        }
    );
    assert_eq!(
        cifar10::Settings::of(Scale::Paper).name(),
        "cifar10_resnet50_width64_side224_seed0"
    );
    assert_eq!(
        cifar10::Settings::default().name(),
        "cifar10_resnet50_width16_seed0"
    );
    Ok(())
}

#[test]
fn bad_settings_are_refused() -> Result<()> {
    let images = images()?;
    let run = |change: &dyn Fn(&mut cifar10::Settings)| {
        let mut settings = paper(Initial::Random);
        change(&mut settings);
        message(cifar10::run(&images, &settings, CPU, None, &mut |_| {}))
    };
    assert_eq!(
        run(&|s| s.side = 31),
        "side is 31; expected from 32 to 1024"
    );
    assert_eq!(
        run(&|s| s.weight_decay = 0.1),
        "weight_decay is 0.1; expected 0 with Adam"
    );
    assert_eq!(
        run(&|s| s.depth = 20),
        "depth is 20; expected 18, 34, 50, 101 or 152"
    );
    assert_eq!(
        run(&|s| s.phases[0].epochs = 0),
        "epochs is 0; expected at least 1"
    );
    assert!(run(&|s| s.initial = Initial::File("none".into())).contains("none"));
    let input = message(decoders::Settings::of(Scale::Quick, Space::Input));
    assert_eq!(
        input,
        "space is input; expected first_stage or last, which can be decoded"
    );
    let missing = message(cifar10::load(
        &paper(Initial::Random),
        Path::new("none"),
        CPU,
    ));
    assert!(missing.contains("none"), "{missing}");
    let settings = decoders::Settings::of(Scale::Quick, Space::Last)?;
    let (other, _) = cifar10::build(&paper(Initial::Random), CPU)?;
    let misfit = message(decoders::run(
        &other.freeze()?,
        &images,
        &settings,
        CPU,
        None,
        &mut |_| {},
    ));
    assert_eq!(
        misfit,
        "decoder: representation has shape [60, 16]; expected (N, 512)"
    );
    let training = message(decoders::run(
        &other,
        &images,
        &settings,
        CPU,
        None,
        &mut |_| {},
    ));
    assert_eq!(
        training,
        "network is in training mode; expected one in evaluation mode, as freeze() gives it"
    );
    Ok(())
}

#[test]
fn the_command_line_says_what_it_can_train() {
    let said = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_isopath"))
            .arg("train")
            .args(arguments)
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(
        said(&["decoder", "input"]).contains("space is \"input\"; expected first_stage or last")
    );
    assert!(
        said(&["cifar10", "--optimizer", "rmsprop"])
            .contains("optimizer is \"rmsprop\"; expected sgd or adam")
    );
    assert!(said(&["cifar10", "--scale", "huge"]).contains("expected quick, default or paper"));
    for wrong in ["20", "20:x", "20:0.1:max"] {
        let phases = said(&["cifar10", "--phases", &format!("30:0.2,{wrong}")]);
        assert!(
            phases.contains("expected epochs:rate or epochs:rate:mean, as 30:0.2 or 10:0.05:mean"),
            "{phases}"
        );
    }
    let missing = said(&["decoder", "last", "--weights", "none.safetensors"]);
    assert!(missing.contains("none.safetensors"), "{missing}");
}

/// Every record of a training beside the weights that the repository carries.
fn records() -> Vec<(std::path::PathBuf, serde_json::Value)> {
    let folder = cifar10::carried("any").parent().unwrap().to_path_buf();
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let records = files.filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    records
        .map(|path| {
            (
                path.clone(),
                serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap(),
            )
        })
        .collect()
}

#[test]
fn carried_weights_are_those_of_their_records() -> Result<()> {
    let records = records();
    assert_eq!(records.len(), 4, "two networks' and two decoders'");
    for (path, record) in records {
        let weights = path.with_extension("safetensors");
        assert!(
            std::fs::metadata(&weights).unwrap().len() < 10_000_000,
            "{}",
            weights.display()
        );
        assert_eq!(
            record["sha256"],
            isopath::io::digest::of_file(&weights)?,
            "{}",
            weights.display()
        );
        let settings = || record["settings"].clone();
        let epochs = record["history"]["epochs"].as_array().unwrap().len();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if record["settings"]["space"].is_null() {
            let settings: cifar10::Settings = serde_json::from_value(settings()).unwrap();
            assert_eq!(settings.name(), name);
            assert_eq!(epochs, settings.epochs());
            cifar10::load(&settings, &weights, CPU)?;
            let accuracy = record["test_accuracy"].as_f64().unwrap();
            if settings.seed == 0 {
                assert_eq!(settings, cifar10::Settings::default());
                assert!(accuracy >= 0.92, "{accuracy}");
            }
        } else {
            let settings: decoders::Settings = serde_json::from_value(settings()).unwrap();
            assert_eq!(settings.name(), name);
            assert_eq!(epochs, settings.epochs);
            decoders::load(&settings, &weights, CPU)?;
            let error = record["test_error"].as_f64().unwrap();
            assert!(
                error > 0. && error < 0.06,
                "{name}: a grey image has an error of 0.06"
            );
        }
    }
    Ok(())
}
