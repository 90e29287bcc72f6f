//! The trainings on photographs as experiments, at tiny sizes: the paper's network, decoders,
//! the checkpoints of the repository.

mod common;

use std::path::{Path, PathBuf};

use common::{CPU, message, values, weights};
use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::datasets::{Dataset, Split};
use isopath::experiments::cifar10::{self, InitialWeights, OptimizerKind, Phase};
use isopath::experiments::connectivity_cifar10::Space;
use isopath::experiments::decoders::{self, SpaceDecoder};
use isopath::losses::{Loss as _, Reconstruction};
use isopath::models::resnet::Stem;
use isopath::models::{
    Decoder, DecoderParams, Model, Network as _, Parameters, ResNet, ResNetParams, enlarge,
    pretrained,
};
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::scale::Scale;

/// 60 images of 32×32 pixels, those of each class around one colour, and 40 more of the same kind
/// for the test.
fn images() -> Result<Split> {
    let mut rng = Rng::new(1);
    let colours = rng.uniform((10, 3, 1, 1), 0.2, 0.8, DType::F32, CPU)?;
    let mut set = |count: u32| -> Result<Dataset> {
        let labels = Tensor::from_iter((0..count).map(|index| index % 10), CPU)?;
        let noise = rng.uniform((count as usize, 3, 32, 32), -0.1, 0.1, DType::F32, CPU)?;
        let images = noise.broadcast_add(&colours.index_select(&labels, 0)?)?;
        Dataset::new(images, labels)
    };
    Ok(Split {
        train: set(60)?,
        test: set(40)?,
    })
}

/// The paper's training at a size for a test.
fn paper(initial_weights: InitialWeights) -> cifar10::Settings {
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
        initial_weights,
        progress: Progress::Hidden,
        ..paper
    }
}

#[test]
fn the_paper_s_training_begins_with_given_weights_and_goes_on() -> Result<()> {
    let images = images()?;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let random = paper(InitialWeights::Random);
    assert_eq!(
        (random.optimizer, random.network()?.stem),
        (OptimizerKind::Adam, Stem::Imagenet)
    );
    let kept = cifar10::Settings {
        checkpoint: Some(file("run")),
        ..random.clone()
    };
    let first = cifar10::run(&images, &kept)?;
    assert_eq!(first.history.epochs.len(), 2);
    let trained = first.network.parameters();
    trained.save_as(file("weights"), DType::F16)?;

    // A run that is finished is taken up, weights and all: its file stays as it is.
    let written = || {
        std::fs::metadata(file("run"))
            .and_then(|file| file.modified())
            .unwrap()
    };
    let before = written();
    let again = cifar10::run(&images, &kept)?;
    assert_eq!(again.test_accuracy, first.test_accuracy);
    assert_eq!(weights(again.network.parameters()), weights(trained));
    assert_eq!(written(), before, "nothing was left to do");

    // Loaded in half precision: the answers of the network in evaluation mode, to that precision.
    let loaded = cifar10::load(&random, &file("weights"))?;
    let logits = |network: &Model<ResNet>| -> Result<Vec<f64>> {
        let classifier = cifar10::on_images(network, &random)?.frozen()?;
        Ok(values(&classifier.forward(&images.test.inputs)?))
    };
    let (ours, theirs) = (logits(&loaded)?, logits(&first.network)?);
    assert!(
        ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 0.02),
        "{ours:?} {theirs:?}"
    );
    let enlarged = enlarge(&images.test.inputs, 64)?;
    assert_eq!(values(&loaded.frozen()?.forward(&enlarged)?), ours);

    // A training from those weights begins with all but the last layer.
    let begun = cifar10::build(&paper(InitialWeights::File(file("weights"))), CPU)?;
    let fresh = cifar10::build(&random, CPU)?;
    let named = |network: &Model<ResNet>| network.parameters().named();
    let (begun, fresh, ended) = (named(&begun), named(&fresh), trained.named());
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
        ..paper(InitialWeights::Random)
    };
    let (cycle, mean) = (Phase::one_cycle(1, 1e-3), Phase::averaged_weights(1, 1e-3));
    let (one, two) = (of(&[cycle]), of(&[cycle, Phase::one_cycle(2, 5e-4)]));
    let run = |settings: &cifar10::Settings, name: &str| {
        let settings = cifar10::Settings {
            checkpoint: (!name.is_empty()).then(|| file(name)),
            ..settings.clone()
        };
        cifar10::run(&images, &settings)
    };
    let of_trained = |trained: &cifar10::Trained| weights(trained.network.parameters());

    let whole = run(&two, "whole")?;
    let whole_history = whole.history.epochs.clone();
    assert_eq!(whole_history.len(), 3);

    let first = of_trained(&run(&one, "parts")?);
    let both = of_trained(&run(&two, "parts")?);
    assert_eq!(both, of_trained(&whole));
    assert_ne!(first, both);

    // A mean is the end of a training or the beginning of what follows.
    let (averaged, longer) = (of(&[cycle, mean]), of(&[cycle, mean, cycle]));
    assert_eq!(
        [&two, &averaged, &longer].map(cifar10::Settings::epochs),
        [3, 2, 3]
    );
    let mean = run(&averaged, "averaged")?;
    assert_eq!(mean.history.epochs.len(), 2);
    assert_eq!(mean.history.epochs[0].loss, whole_history[0].loss);
    assert_ne!(of_trained(&mean), first);
    let parts = run(&longer, "averaged")?;
    let whole = run(&longer, "")?;
    assert_eq!(of_trained(&parts), of_trained(&whole));
    assert_ne!(of_trained(&parts), of_trained(&mean));

    let refused = message(run(&of(&[]), ""));
    assert_eq!(refused, "phases is none; expected at least one phase");

    // What cannot run is found out before the first phase runs: a later phase's settings, or a file
    // of another training.
    let begun = |settings: &cifar10::Settings, name: &str| message(run(settings, name));
    assert_eq!(
        begun(&of(&[cycle, Phase::one_cycle(0, 1e-3)]), "new"),
        "epochs is 0; expected at least 1"
    );
    let rate = begun(&of(&[cycle, Phase::one_cycle(1, f64::NAN)]), "new");
    assert_eq!(rate, "learning_rate is NaN; expected a finite number ≥ 0");
    assert!(!file("new").exists(), "a phase has begun");
    std::fs::remove_file(file("parts")).unwrap();
    let stale = begun(&two, "parts");
    assert!(
        stale.contains("parts.2") && stale.contains("absent (move it away to start again)"),
        "{stale}"
    );
    assert!(!file("parts").exists(), "a phase has begun");
    // Other images of the same number, by their size.
    let larger = cifar10::Settings {
        side: 64,
        ..of(&[cycle])
    };
    run(&larger, "enlarged")?;
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
    let encoder = cifar10::build(&network, CPU)?;
    // Running statistics of these images.
    for _ in 0..30 {
        encoder.forward(&images.train.inputs)?;
    }
    let statistics = |name: &str| encoder.parameters().named()[name].clone();
    let other = cifar10::build(&network, CPU)?;
    for (name, var) in other.parameters().named() {
        let factor = if name == "layer1.0.conv1.weight" {
            1.01
        } else {
            1.
        };
        var.set(&(statistics(&name).as_tensor() * factor)?)?;
    }
    let folder = tempfile::tempdir().unwrap();
    for space in [Space::FirstStage, Space::Last] {
        let default = decoders::Settings::of(Scale::Default, space)?;
        let settings = decoders::Settings {
            network: network.clone(),
            filters: 4,
            batch_size: 6,
            learning_rate: 5e-3,
            progress: Progress::Hidden,
            ..default
        };
        let run = |encoder: &Model<ResNet>, epochs| {
            let file = format!("{} of {epochs}", settings.name());
            let settings = decoders::Settings {
                epochs,
                checkpoint: Some(folder.path().join(file)),
                ..settings.clone()
            };
            decoders::run(encoder, &images, &settings)
        };
        let error = |epochs| -> Result<f64> {
            let trained = run(&encoder, epochs)?;
            assert_eq!(trained.history.epochs.len(), epochs);
            let weights = folder.path().join(settings.name());
            trained.decoder.decoder.save(&weights)?;
            let loaded = SpaceDecoder::load(&encoder, &settings, &weights)?;
            assert_eq!(loaded.space, space);
            assert_eq!(loaded.test_error(&images.test)?, trained.test_error);
            Ok(trained.test_error)
        };
        let (before, after) = (error(1)?, error(24)?);
        // The run of one network's decoder is not gone on with for another network.
        assert_eq!(run(&encoder, 24)?.test_error, after);
        let other = message(run(&other, 24));
        assert!(
            other.contains("context is") && other.contains("another run's checkpoint"),
            "{other}"
        );
        assert!(after < 0.65 * before, "{space:?}: {before} {after}");
    }
    Ok(())
}

#[test]
fn decoders_show_images_beside_their_originals() -> Result<()> {
    let images = images()?;
    let network = pretrained::cifar10()?;
    let both = decoders::Decoders::pretrained(&network, Scale::Default)?;
    let some = images.test.first(2)?;
    let grid = both.grid(&some)?;
    assert_eq!(grid.row_labels, ["image", "first stage", "last layer"]);
    assert_eq!(grid.figure()?.svg.matches("<image ").count(), 6);
    let errors = both.test_errors(&some)?;
    let spaces: Vec<Space> = errors.keys().copied().collect();
    assert_eq!(spaces, [Space::FirstStage, Space::Last]);
    // The first stage keeps more of an image than the pooled features.
    assert!(
        errors[&Space::FirstStage] < errors[&Space::Last],
        "{errors:?}"
    );
    assert_eq!(errors[&Space::Last], both.last.test_error(&some)?);
    Ok(())
}

#[test]
fn the_error_is_the_mean_of_squared_differences() -> Result<()> {
    let images = images()?.test.first(3)?;
    let settings = decoders::Settings {
        network: paper(InitialWeights::Random),
        filters: 2,
        ..decoders::Settings::of(Scale::Default, Space::FirstStage)?
    };
    let network = cifar10::build(&settings.network, CPU)?;
    let decoder = SpaceDecoder::fresh(&network, &settings)?;
    // 64×64 pixels come out, and that is what the images are enlarged to.
    let decoded = values(&decoder.decoded(&images.inputs)?);
    let large = values(&enlarge(&images.inputs, 64)?);
    assert_eq!(decoded.len(), 3 * 3 * 64 * 64);
    let squares: Vec<f64> = decoded
        .iter()
        .zip(&large)
        .map(|(a, b)| (a - b) * (a - b))
        .collect();
    let mean = |squares: &[f64]| squares.iter().sum::<f64>() / squares.len() as f64;
    let errors = decoder.errors(&images.inputs)?;
    for (error, squares) in errors.iter().zip(squares.chunks(3 * 64 * 64)) {
        assert!((error - mean(squares)).abs() < 1e-6);
    }
    let frozen = decoder.decoder.frozen()?;
    let all = values(&decoder.reconstruction.loss(frozen.as_ref(), &images)?)[0];
    assert!((all - mean(&squares)).abs() < 1e-6);
    Ok(())
}

#[test]
fn the_error_s_gradient_is_its_slope() -> Result<()> {
    let (rng, parameters) = (Rng::new(3), Parameters::new());
    let params = ResNetParams::cifar10(18, 2)?;
    let encoder = Model::on(3, DType::F64, CPU, move |vb| {
        ResNet::new(params.clone(), vb)
    })?;
    let params = DecoderParams::FirstStage {
        channels: 2,
        filters: 2,
        doublings: 0,
    };
    let decoder = Decoder::new(params, parameters.builder(&rng, DType::F64, CPU))?;
    let images = images()?.test.first(2)?;
    let images = Dataset {
        inputs: images.inputs.to_dtype(DType::F64)?,
        ..images
    };
    let reconstruction = Reconstruction::new(&encoder, Space::FirstStage.representation())?;
    let loss = || reconstruction.loss(&decoder, &images);
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
        let mut settings = paper(InitialWeights::Random);
        change(&mut settings);
        message(cifar10::run(&images, &settings))
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
    assert!(run(&|s| s.initial_weights = InitialWeights::File("none".into())).contains("none"));
    let input = message(decoders::Settings::of(Scale::Quick, Space::Input));
    assert_eq!(
        input,
        "space is input; expected first_stage or last, which can be decoded"
    );
    let missing = message(cifar10::load(
        &paper(InitialWeights::Random),
        Path::new("none"),
    ));
    assert!(missing.contains("none"), "{missing}");
    let settings = decoders::Settings {
        progress: Progress::Hidden,
        ..decoders::Settings::of(Scale::Quick, Space::Last)?
    };
    let other = cifar10::build(&paper(InitialWeights::Random), CPU)?;
    let misfit = message(decoders::run(&other, &images, &settings));
    assert_eq!(
        misfit,
        "decoder: representation has shape [60, 16]; expected (N, 512)"
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
            phases.contains(
                "expected epochs:rate or epochs:rate:mean, for example 30:0.2 or 10:0.05:mean"
            ),
            "{phases}"
        );
    }
    let missing = said(&["decoder", "last", "--weights", "none.safetensors"]);
    assert!(missing.contains("none.safetensors"), "{missing}");
}

/// Every record of a training beside the weights that the repository holds.
fn records() -> Vec<(PathBuf, serde_json::Value)> {
    let folder = pretrained::checkpoint("any")
        .parent()
        .unwrap()
        .to_path_buf();
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    // Exact verdicts lie beside them, and the networks of the audit.
    let records = files.filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("cifar10_") && name.ends_with(".json") && !name.ends_with("_exact.json")
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
fn checkpoints_are_those_of_their_records() -> Result<()> {
    let records = records();
    assert_eq!(records.len(), 6, "four networks' and two decoders'");
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
            // The network after its first epochs has their number in its name.
            let early = name.ends_with("_epochs2");
            let of_settings = settings.name() + if early { "_epochs2" } else { "" };
            assert_eq!(of_settings, name);
            assert_eq!(epochs, settings.epochs());
            cifar10::load(&settings, &weights)?;
            let accuracy = record["test_accuracy"].as_f64().unwrap();
            if early {
                assert!(epochs == 2 && (0.4..0.8).contains(&accuracy), "{accuracy}");
            } else if settings.permuted.is_some() {
                let last = &record["history"]["epochs"][epochs - 1];
                assert_eq!(last["accuracy"].as_f64(), Some(1.), "learnt by heart");
                assert!(accuracy < 0.15, "{accuracy}");
            } else if settings.seed == 0 {
                assert_eq!(settings, cifar10::Settings::default());
                assert!(accuracy >= 0.92, "{accuracy}");
            }
        } else {
            let settings: decoders::Settings = serde_json::from_value(settings()).unwrap();
            assert_eq!(settings.name(), name);
            assert_eq!(epochs, settings.epochs);
            SpaceDecoder::load(
                &cifar10::load_pretrained(&settings.network)?,
                &settings,
                &weights,
            )?;
            let error = record["test_error"].as_f64().unwrap();
            assert!(
                error > 0. && error < 0.06,
                "{name}: a grey image has an error of 0.06"
            );
        }
    }
    Ok(())
}
