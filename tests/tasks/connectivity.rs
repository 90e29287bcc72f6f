//! The connectivity experiment as tasks gives what one machine gives, bit for bit.

use isopath::Result;
use isopath::candle::{DType, Device, Tensor};
use isopath::datasets::Dataset;
use isopath::experiments::cifar10;
use isopath::experiments::connectivity::{choose_misclassified_pairs, choose_pairs};
use isopath::experiments::connectivity_cifar10::{
    ConnectivityCifar10, Evidence, Results, Settings, Space, Verdicts, attack_pairs,
    connect_in_spaces,
};
use isopath::experiments::tasks::Collected;
use isopath::metrics::{accuracy_of, predictions};
use isopath::models::{Model, Network as _, ResNet, ResNetParams};
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::scale::Scale;
use serde_json::{Value, json};

use crate::made_up::run_and_collect;

/// 240 images of noise around one colour each, and two narrow random networks. Every fifth image has
/// another label than the first network's answer.
pub fn setting() -> Result<(Dataset, [Model<ResNet>; 2])> {
    let params = ResNetParams {
        classes: 4,
        zero_init_residual: false,
        ..ResNetParams::cifar10(18, 4)?
    };
    let mut rng = Rng::new(6);
    let colours = rng.uniform((240, 3, 1, 1), 0., 1., DType::F32, &Device::Cpu)?;
    let noise = rng.uniform((240, 3, 8, 8), -0.3, 0.3, DType::F32, &Device::Cpu)?;
    let images = noise.broadcast_add(&colours)?.clamp(0., 1.)?;
    let network = |seed| -> Result<Model<ResNet>> {
        let params = params.clone();
        let build = move |vb| ResNet::new(params.clone(), vb);
        let network = Model::on(seed, DType::F32, &Device::Cpu, build)?;
        // Statistics of these images, so that the normalised ones spread over the classes.
        for _ in 0..30 {
            network.forward(&images)?;
        }
        Ok(network)
    };
    let networks = [network(5)?, network(8)?];
    let answers: Vec<u32> = predictions(&networks[0], &images)?.to_vec1()?;
    let labels = answers.iter().enumerate().map(|(at, answer)| match at % 5 {
        0 => (answer + 1) % 4,
        _ => *answer,
    });
    let labels = Tensor::new(labels.collect::<Vec<u32>>(), &Device::Cpu)?;
    let data = Dataset::new(images, labels)?.with_classes(["a", "b", "c", "d"])?;
    Ok((data, networks))
}

fn settings() -> Settings {
    Settings {
        pairs: 7,
        other_pairs: 5,
        eps: 0.5,
        max_iterations: 8,
        band_batch_size: 3,
        kept_paths: 4,
        side: 8,
        progress: Progress::Hidden,
        ..Settings::of(Scale::Quick)
    }
}

/// As the notebook has it.
fn one_machine(
    test: &Dataset,
    [network, second]: &[Model<ResNet>; 2],
    settings: &Settings,
) -> Result<([Value; 2], Verdicts)> {
    let training = cifar10::Settings::default();
    let answers = predictions(network, &test.inputs)?;
    let second_answers = predictions(second, &test.inputs)?;
    let pairs = choose_pairs(test, &[&answers], settings.pairs, settings.seed)?;
    let verdicts = connect_in_spaces(network, &pairs, settings)?;
    let small = Settings {
        step_sizes: settings.step_sizes.map(|step| step / 10.),
        spaces: vec![Space::Input],
        ..settings.clone()
    };
    let without_line = pairs.with(verdicts.at(Space::Input)?.not_linear());
    assert!(!without_line.is_empty(), "no band is tried");
    let gentle = connect_in_spaces(network, &without_line, &small)?;
    let (count, seed) = (settings.other_pairs, settings.seed);
    let mistakes = choose_misclassified_pairs(test, &answers, count, seed)?;
    let of_mistakes = connect_in_spaces(network, &mistakes, settings)?;
    let attack = attack_pairs(network, &pairs.first(count), settings)?;
    let of_misled = connect_in_spaces(network, &attack.pairs, settings)?;
    let shared = choose_pairs(test, &[&answers, &second_answers], settings.pairs, seed)?;
    let two = Settings {
        spaces: vec![Space::Input, Space::FirstStage],
        ..settings.clone()
    };
    let first_found = connect_in_spaces(network, &shared, &two)?;
    let second_found = connect_in_spaces(second, &shared, &two)?;
    let accuracy = accuracy_of(&answers, test)?;
    let results = Results::new(&verdicts, &training, accuracy, settings)?;
    let evidence = Evidence {
        all: verdicts.summary(),
        small_steps: gentle.summary(),
        misclassified: of_mistakes.summary(),
        misled: of_misled.summary(),
        attacked: attack.attacked,
        agreement: first_found.agreement(&second_found)?,
        reconstruction: Default::default(),
    };
    Ok(([json!(results), json!(evidence)], verdicts))
}

#[test]
fn results_are_those_of_one_machine() -> Result<()> {
    let ((test, networks), settings) = (setting()?, settings());
    let (expected, verdicts) = one_machine(&test, &networks, &settings)?;
    let experiment = ConnectivityCifar10::new(settings.clone()).with(test, networks);
    let folder = tempfile::tempdir().unwrap();
    let texts = run_and_collect(&experiment, folder.path(), 2)?;
    assert_eq!(texts, expected.map(|value| format!("{value:#}\n")));
    // A notebook gets profiles and paths, too.
    let collected = Collected::find_in(&folder.path().join("out"), &experiment)?.unwrap();
    let found = experiment.found(&collected.finished())?.verdicts;
    assert_eq!(found.pairs.pairs, verdicts.pairs.pairs);
    for (space, own) in &found.spaces {
        let other = verdicts.at(*space)?;
        assert_eq!(own.len(), 7);
        for (at, (own, other)) in own.connections.iter().zip(&other.connections).enumerate() {
            assert_eq!((&own.line, &own.path), (&other.line, &other.path));
            assert_eq!(own.departure.to_bits(), other.departure.to_bits());
            assert_eq!(
                (own.outcome, own.evaluations),
                (other.outcome, other.evaluations)
            );
            assert_eq!(own.classes, other.classes);
            assert_eq!(own.shown.is_some(), at < 4);
            if at < 4 {
                let (own, other) = (own.shown()?, other.shown()?);
                let points = |path: &Tensor| path.flatten_all()?.to_vec1::<f32>();
                assert_eq!(points(&own.info.path)?, points(&other.info.path)?);
                assert_eq!(own.info.path.dims(), other.info.path.dims());
                assert_eq!(
                    (&own.on_line, &own.on_path),
                    (&other.on_line, &other.on_path)
                );
                assert_eq!(own.info.energies, other.info.energies);
            }
        }
    }
    Ok(())
}
