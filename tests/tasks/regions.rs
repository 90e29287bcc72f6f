//! The experiment on regions as tasks gives what one machine gives, bit for bit.

use isopath::Result;
use isopath::datasets::{Dataset, Split};
use isopath::experiments::connectivity_cifar10::Space;
use isopath::experiments::connectivity_regions::{
    Compared, ConnectivityRegions, Control, Evidence, Further, IsometricSettings, MadeUp, Proved,
    Regime, Results, Settings, blurred, by_layer, class_crossings, cost, further, graphs, misled,
    noise, random_segments, right_ones, train_lipschitz, train_regimes, wrong_ones,
};
use isopath::experiments::isometry_mnist;
use isopath::experiments::tasks::{Collected, Experiment as _};
use isopath::losses::Partition;
use isopath::metrics::predictions;
use isopath::models::{Model, ResNet};
use isopath::paths::ExactParams;
use isopath::progress::Progress;
use isopath::scale::Scale;
use serde_json::{Value, json};

use crate::connectivity::setting;
use crate::isometry::images;
use crate::made_up::{run_and_collect, without_times};

fn settings() -> Settings {
    Settings {
        test_images: 60,
        samples: 4,
        neighbors: 3,
        max_tests_per_point: 4,
        random_pairs: 5,
        crossing_pairs: 2,
        control_images: 12,
        network_images: 40,
        weakest_edges: 2,
        reach: 0.25,
        eps: 0.5,
        progress: Progress::Hidden,
        ..Settings::of(Scale::Quick)
    }
}

fn isometric() -> IsometricSettings {
    let regime = |partition, beta| Regime { partition, beta };
    IsometricSettings {
        training: isometry_mnist::Settings {
            sizes: vec![4, 8, 2],
            seeds: vec![0, 3],
            epochs: 2,
            batch_size: 10,
            test_images: 30,
            progress: Progress::Hidden,
            ..isometry_mnist::Settings::of(Scale::Quick)
        },
        regimes: vec![regime(Partition::None, 0.), regime(Partition::Local, 1.)],
        test_images: 30,
        samples: 4,
        random_pairs: 5,
        proved_pairs: 5,
        growth_sizes: vec![20, 60],
        lipschitz_images: 60,
        neighbors: 3,
        ..IsometricSettings::of(Scale::Quick)
    }
}

/// As the notebook has it.
fn one_machine(
    cifar: &Dataset,
    networks: &[Model<ResNet>],
    mnist: &Split,
    file: &str,
) -> Result<[Value; 2]> {
    let (settings, isometric, network) = (settings(), isometric(), &networks[0]);
    let images = cifar.first(settings.test_images)?;
    let answers = predictions(network, &images.inputs)?;
    let right = right_ones(&images, &answers)?;
    let mut in_pixels = graphs(network, &images, &right, Space::Input, &settings)?;
    in_pixels.check(network, &settings)?;
    let at_first_stage = graphs(network, &images, &right, Space::FirstStage, &settings)?;
    let at_last = graphs(network, &images, &right, Space::Last, &settings)?;
    let mut numbers = Results::new(&settings, file);
    numbers.bands = vec![
        in_pixels.bands(network, &settings.band(Space::Input))?,
        at_first_stage.bands(network, &settings.band(Space::FirstStage))?,
    ];
    let random = random_segments(network, &images, &right, Space::Input, &settings)?;
    let random_first = random_segments(network, &images, &right, Space::FirstStage, &settings)?;
    let crossings = class_crossings(network, &images, &right, Space::Input, &settings)?;
    let few = images.first(settings.network_images)?;
    let mut compared = Compared::default();
    for (control, network) in Control::EVERY.into_iter().zip(&networks[1..]) {
        let answers = predictions(network, &few.inputs)?;
        let vertices = control.vertices(&few, &answers)?;
        let found = graphs(network, &few, &vertices, Space::Input, &settings)?;
        let random = random_segments(network, &few, &vertices, Space::Input, &settings)?;
        compared.push(control.to_string(), &found, &random);
    }
    let wrong: Vec<usize> = wrong_ones(&images, &answers)?
        .into_values()
        .flatten()
        .collect();
    let kinds = [
        ("misclassified", images.select(&wrong)?),
        ("misled", misled(network, &images, &right, &settings)?),
        ("blurred", blurred(&images, &settings)?),
        ("uniform noise", noise(&images, &settings)?),
    ];
    let mut others = Further::default();
    for (name, images) in &kinds {
        others.push(*name, further(network, &in_pixels, images, &settings)?);
    }
    let exact = in_pixels.weakest(network, 2, 0.25, &ExactParams::default())?;
    let regimes = train_regimes(mnist, &isometric)?;
    let plain = &regimes.runs[0].result.network;
    let growth = cost(plain, &mnist.train, &isometric.growth_sizes, &isometric)?;
    let layers = by_layer(&regimes, &mnist.test, &isometric)?;
    let (lipschitz, _) = train_lipschitz(&mnist.train, &isometric)?;
    let mut proved = Proved::default();
    for run in &regimes.first_seed().runs {
        proved.push(
            run.parameter.to_string(),
            &run.result.network,
            &mnist.test,
            &isometric,
        )?;
    }
    proved.push("1-Lipschitz", &lipschitz, &mnist.test, &isometric)?;
    let random = [&random, &random_first];
    let evidence = Evidence::new(&random, &right, &crossings, &growth, &layers);
    for graphs in [&in_pixels, &at_first_stage, &at_last] {
        numbers.push("trained", graphs);
    }
    numbers.compared = compared;
    numbers.further = others;
    numbers.exact = exact;
    numbers.proved = proved;
    Ok([json!(numbers), json!(evidence)])
}

#[test]
fn results_are_those_of_one_machine() -> Result<()> {
    let ((test, [first, second]), mnist) = (setting()?, images()?);
    let networks: Vec<Model<ResNet>> = [&first, &first, &second, &second, &second, &first]
        .map(Clone::clone)
        .to_vec();
    let experiment = ConnectivityRegions::new(settings());
    let file = experiment.training.name() + ".safetensors";
    let expected = one_machine(&test, &networks, &mnist, &file)?;
    let made_up = MadeUp {
        cifar: Split {
            train: test.clone(),
            test,
        },
        mnist,
        networks,
    };
    let experiment = experiment.with(isometric(), made_up);
    let folder = tempfile::tempdir().unwrap();
    let texts = run_and_collect(&experiment, folder.path(), 2)?;
    assert_eq!(texts.len(), 2);
    for (text, expected) in texts.iter().zip(expected) {
        let found: Value = serde_json::from_str(text).unwrap();
        // As the file has it: numbers that are no numbers are null.
        let expected: Value = serde_json::from_str(&expected.to_string()).unwrap();
        assert_eq!(without_times(found), without_times(expected));
    }
    // A notebook gets graphs with their checks, and networks.
    let collected = Collected::find_in(&folder.path().join("out"), &experiment)?.unwrap();
    let found = experiment.found(&collected.finished())?;
    let [in_pixels, at_first_stage, _] = &found.graphs;
    assert!(in_pixels.classes.iter().all(|graph| graph.check.is_some()));
    assert!(
        at_first_stage
            .classes
            .iter()
            .all(|graph| graph.check.is_none())
    );
    assert!(in_pixels.classes.len() > 1 && found.networks.runs.len() == 4);
    assert_eq!(found.lipschitz.1.epochs.len(), 2);
    let stages = experiment.parts()?.into_iter().map(|part| part.stage).max();
    assert_eq!(stages, Some(2));
    Ok(())
}
