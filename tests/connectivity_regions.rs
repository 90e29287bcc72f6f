//! The graphs of classes on small networks: vertices, controls, layers, results.

mod common;

use common::{CPU, message};
use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::datasets::{Dataset, Split};
use isopath::experiments::connectivity_cifar10::Space;
use isopath::experiments::connectivity_regions::{
    Compared, Evidence, Further, IsometricSettings, Proved, Regime, Results, Settings, Vertices,
    answered, blurred, by_layer, class_crossings, cost, further, graphs, misled, noise,
    random_segments, right_ones, train_regimes, wrong_ones,
};
use isopath::experiments::isometry_mnist;
use isopath::losses::Partition;
use isopath::metrics::predictions;
use isopath::models::{Model, Network, ResNet, ResNetParams};
use isopath::paths::{ExactParams, NebParams};
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::scale::Scale;

/// Images of noise around one colour each, and a narrow random network. Every fifth image has
/// another label than the network's answer.
fn setting() -> Result<(Model<ResNet>, Dataset)> {
    let params = ResNetParams {
        classes: 4,
        zero_init_residual: false,
        ..ResNetParams::cifar10(18, 4)?
    };
    let network = Model::on(5, DType::F32, CPU, move |vb| {
        ResNet::new(params.clone(), vb)
    })?;
    let mut rng = Rng::new(6);
    let colours = rng.uniform((60, 3, 1, 1), 0., 1., DType::F32, CPU)?;
    let noise = rng.uniform((60, 3, 8, 8), -0.3, 0.3, DType::F32, CPU)?;
    let images = noise.broadcast_add(&colours)?.clamp(0., 1.)?;
    // Statistics of these images, so that the normalised ones spread over the classes.
    for _ in 0..30 {
        network.forward(&images)?;
    }
    let answers = predictions(&network, &images)?.to_vec1::<u32>()?;
    let label = |(at, answer): (usize, &u32)| (answer + u32::from(at % 5 == 4)) % 4;
    let labels: Vec<u32> = answers.iter().enumerate().map(label).collect();
    let data = Dataset::new(images, Tensor::new(labels, CPU)?)?;
    Ok((network, data.with_classes(["a", "b", "c", "d"])?))
}

fn settings() -> Settings {
    Settings {
        samples: 4,
        neighbors: 3,
        max_tests_per_point: 6,
        random_pairs: 5,
        crossing_pairs: 2,
        control_images: 12,
        progress: Progress::Hidden,
        ..Settings::of(Scale::Quick)
    }
}

#[test]
fn graphs_have_the_images_that_are_right() -> Result<()> {
    let (network, data) = setting()?;
    let settings = settings();
    let answers = predictions(&network, &data.inputs)?;
    let right = right_ones(&data, &answers)?;
    let wrong = wrong_ones(&data, &answers)?;
    let count = |vertices: &Vertices| vertices.values().map(Vec::len).sum::<usize>();
    assert_eq!((count(&right), count(&wrong)), (48, 12));
    assert!(wrong.values().flatten().all(|image| image % 5 == 4));
    assert_eq!(count(&answered(&data, &answers)?), 60);

    let mut results = Results::new(&settings, "a file");
    let mut seen = 0;
    for space in Space::ALL {
        let mut found = graphs(&network, &data, &right, space, &settings)?;
        assert_eq!(found.classes.len(), right.len());
        assert_eq!((found.vertices(), found.space), (48, space));
        found.check(&network, &settings)?;
        for graph in &found.classes {
            assert_eq!(graph.images, right[&graph.class]);
            assert_eq!(
                (graph.regions.class, graph.regions.samples),
                (graph.class, 4)
            );
            // The last layer is linear, so every class is convex there.
            if space == Space::Last {
                assert!(graph.regions.is_connected() && graph.regions.left.is_empty());
            }
            let check = graph.check.as_ref().unwrap();
            assert_eq!(check.repaired.samples, 16);
        }
        if space != Space::Last {
            let weak = found.weakest(&network, 2, 0.25, &ExactParams::default())?;
            for edge in &weak.edges {
                // A sample lies on the part, and is no lower than its lowest point.
                assert!(edge.part.0 <= edge.sampled.1 && edge.sampled.1 <= edge.part.1);
                assert!(edge.smallest_margin <= edge.sampled.0 + 1e-4, "{edge:?}");
                assert!(edge.residual < 1e-10 && edge.inside == (edge.smallest_margin > 0.));
            }
            assert_eq!((weak.edges.len(), weak.table().rows.len()), (2, 2));
        }
        let neb = NebParams {
            max_iterations: 2,
            ..NebParams::default()
        };
        let bands = found.bands(&network, &neb)?;
        let pieces = found.components() - bands.connected;
        let apart = found.classes.len() - bands.connected;
        assert_eq!(
            bands.bands.len(),
            pieces - apart,
            "one for each but the largest"
        );
        for band in &bands.bands {
            assert_eq!(band.holds, band.smallest_margin > 0., "{band:?}");
            assert!(band.stretch > 0.999, "{band:?}");
            assert!(
                band.test_index
                    .iter()
                    .all(|image| right[&band.class].contains(image))
            );
        }
        assert_eq!(bands.table().rows.len(), bands.bands.len());
        seen += bands.bands.len();
        assert_eq!(found.table().rows.len(), right.len());
        assert_eq!(found.check_table().rows.len(), right.len());
        assert!(found.components() >= right.len() && found.tests_per_edge() >= 1.);
        results.push("random", &found);
    }
    assert!(seen > 0, "no class has more than one component");
    let json = serde_json::to_value(&results).unwrap();
    let first = &json["graphs"][0];
    let keys: Vec<&String> = first.as_object().unwrap().keys().collect();
    for key in [
        "class",
        "space",
        "network",
        "images",
        "components",
        "edges",
        "tests",
        "evaluations",
    ] {
        assert!(keys.iter().any(|own| *own == key), "{key}");
    }
    // Edges are named by the data's rows.
    let images: Vec<u64> = serde_json::from_value(first["images"].clone()).unwrap();
    for edge in first["edges"].as_array().unwrap() {
        assert!(images.contains(&edge[0].as_u64().unwrap()) && edge[2].as_f64().unwrap() > 0.);
    }
    Ok(())
}

#[test]
fn controls_are_what_they_are_called() -> Result<()> {
    let (network, data) = setting()?;
    let settings = settings();
    let answers = predictions(&network, &data.inputs)?;
    let right = right_ones(&data, &answers)?;
    let found = graphs(&network, &data, &right, Space::Input, &settings)?;
    let random = random_segments(&network, &data, &right, Space::Input, &settings)?;
    for (class, own) in &random.classes {
        let n = right[class].len();
        assert_eq!(own.segments.len(), 5.min(n * (n - 1) / 2));
    }
    let all: usize = right
        .values()
        .map(|own| own.len() * (own.len() - 1) / 2)
        .sum();
    let estimate = random.estimate(&right);
    assert_eq!(estimate.pairs, all as f64);
    assert!(estimate.low <= estimate.holding && estimate.holding <= estimate.high);

    let mut compared = Compared::default();
    compared.push("random", &found, &random);
    assert_eq!(compared.rows[0].images, 48);
    assert_eq!(compared.table().rows[0][0], "random");
    compared.chart().figure()?;

    let crossings = class_crossings(&network, &data, &right, Space::Input, &settings)?;
    assert_eq!(crossings.table(&data).rows.len(), right.len());
    assert!(crossings.changes.keys().all(|changes| *changes >= 1));

    let mut kinds = Further::default();
    let grey = blurred(&data, &settings)?;
    // A Gaussian keeps a constant image, and makes the others smoother.
    let spread = |images: &Tensor| -> Result<f64> {
        let mean = images.mean_keepdim((2, 3))?;
        let apart = images.broadcast_sub(&mean)?.sqr()?.mean_all()?;
        Ok(apart.to_dtype(DType::F64)?.to_scalar()?)
    };
    let before = data.inputs.narrow(0, 0, 12)?;
    assert!(spread(&grey.inputs)? < 0.2 * spread(&before)?);
    let flat = Dataset::new(
        Tensor::full(0.25f32, (12, 3, 8, 8), CPU)?,
        grey.labels.clone(),
    )?;
    let flat = blurred(&flat, &settings)?.inputs;
    assert!((flat - 0.25)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-6);
    kinds.push("blurred", further(&network, &found, &grey, &settings)?);
    let static_noise = noise(&data, &settings)?;
    assert_eq!(static_noise.inputs.dims(), [12, 3, 8, 8]);
    let mistakes: Vec<usize> = (4..60).step_by(5).collect();
    let mistakes = data.select(&mistakes)?;
    kinds.push("wrong", further(&network, &found, &mistakes, &settings)?);
    // Images that are vertices themselves lie where those do.
    let first = &found.classes[0];
    let same = further(&network, &found, &data.select(&first.images)?, &settings)?;
    let largest = first.regions.components[0].len();
    assert_eq!(same[&first.class].joined, largest);
    assert_eq!(kinds.table().rows.len(), 2);

    let strong = Settings {
        eps: 0.5,
        ..settings
    };
    let attacked = misled(&network, &data, &right, &strong)?;
    let answers = predictions(&network, &attacked.inputs)?.to_vec1::<u32>()?;
    let labels = attacked.labels.to_vec1::<u32>()?;
    assert!(
        answers
            .iter()
            .zip(labels)
            .all(|(answer, label)| *answer == (label + 2) % 4)
    );

    assert!(found.of_class("e").is_err());
    assert_eq!(
        message(found.of_class("e")),
        format!(
            "class is e; expected one of {}",
            found
                .classes
                .iter()
                .map(|graph| data.classes[graph.class as usize].clone())
                .collect::<Vec<_>>()
                .join(", ")
        )
    );
    let none = Vertices::new();
    assert_eq!(
        message(graphs(&network, &data, &none, Space::Input, &strong)),
        "vertices is none; expected at least one"
    );
    let weak = Settings { eps: 0., ..strong };
    assert!(misled(&network, &data, &right, &weak).is_err());
    Ok(())
}

#[test]
fn every_layer_of_a_network_has_its_regions() -> Result<()> {
    let labels: Vec<u32> = (0..120).map(|at| at % 2).collect();
    let noise = Rng::new(1).uniform((120, 4), 0., 0.4, DType::F32, CPU)?;
    let places: Vec<f32> = labels.iter().map(|label| 0.5 * *label as f32).collect();
    let places = Tensor::from_vec(places, (120, 1), CPU)?;
    let data = Dataset::new(noise.broadcast_add(&places)?, Tensor::new(labels, CPU)?)?;
    let split = Split {
        train: data.range(0, 80)?,
        test: data.range(80, 40)?,
    };
    let regime = |partition, beta| Regime { partition, beta };
    let settings = IsometricSettings {
        training: isometry_mnist::Settings {
            sizes: vec![4, 8, 8, 2],
            seeds: vec![0, 1],
            epochs: 10,
            batch_size: 10,
            learning_rate: 0.01,
            test_images: 40,
            progress: Progress::Hidden,
            ..isometry_mnist::Settings::of(Scale::Quick)
        },
        regimes: vec![regime(Partition::None, 0.), regime(Partition::Global, 1.)],
        test_images: 40,
        ..IsometricSettings::of(Scale::Quick)
    };
    let networks = train_regimes(&split, &settings)?;
    let plain = &networks.runs[0].result.network;
    let growth = cost(plain, &data, &[20, 120], &settings)?;
    assert_eq!((growth.rows[0].images, growth.rows[1].images), (20, 120));
    assert!(growth.rows[0].tests < growth.rows[1].tests && growth.rows[1].tests < 300);
    growth.figure()?;
    assert!(cost(plain, &data, &[], &settings).is_err());
    let mut proved = Proved::default();
    proved.push("plain", plain, &data, &settings)?;
    let row = &proved.rows[0];
    assert_eq!(row.proved + row.refuted + row.undecided, row.pairs);
    // What is proved holds at the samples, and what is refuted may not.
    assert!(row.proved <= row.sampled && row.overlooked <= row.refuted);
    assert_eq!((row.pairs, row.lipschitz.of), (20, 2));
    assert_eq!(proved.table().rows[0][0], "plain");
    let found = by_layer(&networks, &split.test, &settings)?;
    assert_eq!(found.networks.runs.len(), 4);
    for run in &found.networks.runs {
        assert_eq!(run.result.len(), 3);
        // The pixels are as far apart as they are, and the last layer is linear.
        assert_eq!(
            (run.result[0].distortion_near, run.result[0].distortion_far),
            (0., 0.)
        );
        assert_eq!(
            (run.result[2].random, run.result[2].tests_per_edge),
            (1., 1.)
        );
    }
    let crossings = class_crossings(
        plain,
        &data,
        &right_ones(&data, &predictions(plain, &data.inputs)?)?,
        Space::Input,
        &self::settings(),
    );
    let crossings = crossings?;
    let evidence = Evidence::new(&[], &Vertices::new(), &crossings, &growth, &found);
    let json = serde_json::to_value(&evidence).unwrap();
    assert_eq!(json["layers"][3][2].as_array().map(Vec::len), Some(3));
    assert_eq!(
        json["crossings"]["single"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(found.table(1)?.rows[1][0], "global, β = 1");
    assert!(found.table(3).is_err());
    found.figure()?;
    Ok(())
}
