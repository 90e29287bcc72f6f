//! The MNIST experiment on made-up images: shapes, order, files and figures of its results.

use candle_core::{DType, Device, Tensor};
use isopath::datasets::{Dataset, Split};
use isopath::experiments::isometry_mnist::{
    Elsewhere, Evidence, Results, Settings, attack_strength, compare_versions, fgsm_curves,
    gradient_angles, pgd_curves, robustness, save_networks, stretch, train_networks,
};
use isopath::figures::{Figure, Table};
use isopath::models::{Initialisation, Network as _};
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::scale::Scale;
use isopath::{Error, Result};
use ndarray::s;
use serde_json::Value;

/// Two classes of 2×2 images: bright on the left, bright on the right, with noise.
fn images() -> Result<Split> {
    let part = |n: usize, seed: u64| -> Result<Dataset> {
        let labels: Vec<u32> = (0..n as u32).map(|i| i % 2).collect();
        let pixels: Vec<f32> = labels
            .iter()
            .flat_map(|label| match label {
                0 => [0.8, 0.2, 0.8, 0.2],
                _ => [0.2, 0.8, 0.2, 0.8],
            })
            .collect();
        let noise = Rng::new(seed).uniform((n, 4), -0.15, 0.15, DType::F32, &Device::Cpu)?;
        Dataset::new(
            (Tensor::from_vec(pixels, (n, 4), &Device::Cpu)? + noise)?,
            Tensor::from_vec(labels, n, &Device::Cpu)?,
        )
    };
    Ok(Split {
        train: part(200, 1)?,
        test: part(30, 2)?,
    })
}

fn settings() -> Settings {
    Settings {
        sizes: vec![4, 8, 8, 2],
        betas: vec![0., 1.],
        seeds: vec![3, 5],
        epochs: 20,
        batch_size: 10,
        learning_rate: 0.01,
        test_images: 30,
        pgd_images: 20,
        step_sizes: vec![0.01, 0.1, 1.],
        progress: Progress::Hidden,
        ..Settings::of(Scale::Quick)
    }
}

fn briefly() -> Settings {
    Settings {
        epochs: 2,
        ..settings()
    }
}

fn json(results: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(results).map_err(|error| Error::argument("results", "JSON", error))
}

fn keys(value: &Value) -> Vec<&str> {
    let fields = value.as_object().into_iter().flatten();
    fields.map(|(key, _)| key.as_str()).collect()
}

/// The settings of the paper's authors: five hidden layers, orthogonal weights, f64, K = 10.
#[test]
fn the_authors_settings_are_settings() -> Result<()> {
    let images = images()?;
    let settings = Settings {
        scale: 10.,
        initialisation: Initialisation::Orthogonal,
        dtype: DType::F64,
        ..briefly()
    }
    .with_hidden_layers(5);
    assert_eq!(settings.sizes, [4, 8, 8, 8, 8, 8, 2]);
    let loss = settings.loss(1.);
    assert_eq!(
        (loss.scale, loss.normalised, loss.squared),
        (10., false, false)
    );
    let networks = train_networks(&images, &settings)?;
    let network = &networks.runs[0].result.network;
    assert!(
        network
            .parameters()
            .vars()
            .iter()
            .all(|var| var.dtype() == DType::F64)
    );
    // Attacks take the images in the same numbers.
    let test = settings.converted(&images)?.test;
    assert_eq!(robustness(&networks, &test, &settings)?.fgsm.images, 30);
    // All versions learn.
    for (scale, normalised, squared) in [(1., false, false), (10., true, true), (1., true, false)] {
        let settings = Settings {
            scale,
            normalised,
            squared,
            ..briefly()
        };
        let trained = &train_networks(&images, &settings)?.runs[2].result;
        assert!(trained.isometric_loss.is_finite() && trained.test_accuracy > 0.5);
    }
    Ok(())
}

#[test]
fn results_are_ordered_by_beta_seed_and_step() -> Result<()> {
    let (images, settings) = (images()?, settings());
    let networks = train_networks(&images, &settings)?;
    let runs = || networks.runs.iter().map(|run| &run.result);
    let order: Vec<_> = runs().map(|trained| (trained.beta, trained.seed)).collect();
    assert_eq!(order, [(0., 3), (0., 5), (1., 3), (1., 5)]);
    // The classes are far apart, and β pulls the representation towards an isometry.
    assert!(runs().all(|trained| trained.test_accuracy == 1.));
    assert!(networks.get(&1., 3)?.isometric_loss < networks.get(&0., 3)?.isometric_loss);

    let fgsm = fgsm_curves(&networks, &images.test, &settings)?;
    let unclipped = Settings {
        bounds: None,
        ..settings.clone()
    };
    let pgd = pgd_curves(&networks, &images.test, &unclipped)?;
    for curves in [&fgsm, &pgd] {
        for runs in [
            &curves.accuracy.cross_entropy,
            &curves.accuracy.training_loss,
        ] {
            assert_eq!(runs.dim(), (2, 2, 3));
        }
        assert_eq!(
            curves.accuracy.cross_entropy.slice(s![0, .., ..]),
            curves.accuracy.training_loss.slice(s![0, .., ..])
        );
        assert_eq!((&curves.betas, &curves.seeds), (&vec![0., 1.], &vec![3, 5]));
    }
    assert_eq!((fgsm.images, pgd.images), (30, 20));
    // A step of 0.01 cannot cross the gap, a step of 1 does.
    let first = &fgsm.accuracy.cross_entropy;
    assert_eq!((first[[0, 0, 0]], first[[0, 0, 2]]), (1., 0.));

    for alpha in [0.05, 0.1] {
        let at = pgd.at(alpha)?;
        assert_eq!((at.step_size, at.cross_entropy.len()), (0.1, 2));
        assert_eq!(
            (at.cross_entropy[1][0], at.training_loss[1][1]),
            (
                pgd.accuracy.cross_entropy[[1, 0, 1]],
                pgd.accuracy.training_loss[[1, 1, 1]]
            )
        );
    }
    assert_eq!(
        pgd.at(1.5).unwrap_err().to_string(),
        "alpha is 1.5; expected at most 1, the largest step size"
    );
    Ok(())
}

#[test]
fn results_and_evidence_keep_their_form_in_json() -> Result<()> {
    let (images, settings) = (images()?, briefly());
    let networks = train_networks(&images, &settings)?;
    let robust = robustness(&networks, &images.test, &settings)?;
    let test = images.test.first(20)?;
    let lipschitz = stretch(&networks, &test, &settings, 5)?;
    let numbers = json(&Results::new(
        Scale::Quick,
        &settings,
        &networks,
        &robust,
        &lipschitz,
    ))?;
    let names = [
        "scale",
        "seeds",
        "beta",
        "test_accuracy",
        "isometric_loss",
        "fgsm",
        "pgd",
        "lipschitz",
        "seconds",
    ];
    assert_eq!(keys(&numbers), names);
    assert_eq!(keys(&numbers["fgsm"]), ["step_size", "accuracy"]);
    assert_eq!(
        keys(&numbers["pgd"]),
        ["eps", "steps", "step_size", "accuracy"]
    );
    assert_eq!(
        keys(&numbers["pgd"]["accuracy"]),
        ["cross_entropy", "training_loss"]
    );
    let along = &robust.fgsm.accuracy.training_loss;
    let row = |beta, seed| along.slice(s![beta, seed, ..]).to_vec();
    let nested = serde_json::json!([[row(0, 0), row(0, 1)], [row(1, 0), row(1, 1)]]);
    assert_eq!(numbers["fgsm"]["accuracy"]["training_loss"], nested);
    assert_eq!(
        (&numbers["scale"], &numbers["seeds"]),
        (&"quick".into(), &serde_json::json!([3, 5]))
    );
    assert_eq!(numbers["lipschitz"][1][0]["beta"], 1.);

    let numbers = json(&Evidence {
        angles: gradient_angles(&networks, &test, &settings)?,
        strength: attack_strength(&networks, &test, &settings, 0.5)?,
        logits: robust.fgsm.clone(),
        unclipped: [robust.fgsm.clone(), robust.pgd.clone()],
        versions: compare_versions(&images, &settings, 0.05)?,
        elsewhere: Some(Elsewhere::new("made-up", &settings, &networks, robust)),
    })?;
    let elsewhere = &numbers["elsewhere"];
    assert_eq!(elsewhere["set"], "made-up");
    assert_eq!(elsewhere["pgd"]["step_size"][2], 1.);
    let plain = networks.get(&1., 5)?.test_accuracy;
    assert_eq!(elsewhere["test_accuracy"][1][1], plain);
    assert_eq!(
        keys(&numbers["angles"][1]),
        ["beta", "cosine", "cross_entropy", "isometric"]
    );
    assert_eq!(keys(&numbers["strength"][6]), ["attack", "accuracy"]);
    let curves = ["step_size", "accuracy", "seconds"];
    assert_eq!(keys(&numbers["unclipped"][1]), curves);
    assert_eq!(keys(&numbers["logits"]), curves);
    // The first version is the paper's text: that of the networks above, of the first seed.
    let versions = &numbers["versions"]["versions"];
    assert_eq!(versions.as_array().map(Vec::len), Some(7));
    let plain = networks.get(&0., 3)?.test_accuracy;
    assert_eq!(versions[0]["accuracy"][0], plain);
    assert_eq!(numbers["versions"]["step_size"], 0.1);
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_network_and_its_weights_are_saved_by_name() -> Result<()> {
    let (images, settings) = (images()?, briefly());
    let a = train_networks(&images, &settings)?;
    let b = train_networks(&images, &settings)?;
    let logits = |networks: &isopath::experiments::isometry_mnist::Networks| {
        let network = &networks.get(&1., 5)?.network;
        Ok::<_, Error>(network.forward(&images.test.inputs)?.to_vec2::<f32>()?)
    };
    assert_eq!(logits(&a)?, logits(&b)?);
    assert!(a.get(&0.5, 5).is_err());

    let folder = tempfile::tempdir().map_err(Error::io("temporary folder"))?;
    save_networks(&a, folder.path())?;
    let file = folder.path().join("beta_1_seed_5.safetensors");
    let weights = candle_core::safetensors::load(file, &Device::Cpu)?;
    assert_eq!(weights["layers.0.weight"].dims(), [8, 4]);
    assert_eq!(weights.len(), 6);
    Ok(())
}

#[test]
fn evidence_covers_every_beta() -> Result<()> {
    let (images, settings) = (images()?, briefly());
    let networks = train_networks(&images, &settings)?;
    let test = images.test.first(20)?;
    let angles = gradient_angles(&networks, &test, &settings)?.angles;
    assert_eq!(
        angles.iter().map(|angle| angle.beta).collect::<Vec<_>>(),
        [0., 1.]
    );
    // At β = 0 both losses are one.
    assert!((angles[0].cosine - 1.).abs() < 1e-6 && angles[0].isometric == 0.);
    assert!(angles[1].cosine < 1. && angles[1].isometric > 0.);
    let strength = attack_strength(&networks, &test, &settings, 0.5)?;
    assert_eq!(strength.attacks.len(), 7);
    assert!(
        strength
            .attacks
            .iter()
            .all(|attack| attack.accuracy.len() == 2)
    );
    Ok(())
}

#[test]
fn estimates_of_the_lipschitz_constant_are_ordered() -> Result<()> {
    let (images, settings) = (images()?, briefly());
    let networks = train_networks(&images, &settings)?;
    let test = images.test.first(20)?;
    let measured = stretch(&networks, &test, &settings, 7)?;
    let estimates = || measured.runs.iter().map(|run| &run.result);
    let order: Vec<_> = estimates().map(|s| (s.beta, s.seed)).collect();
    assert_eq!(order, [(0., 3), (0., 5), (1., 3), (1., 5)]);
    for stretch in estimates() {
        // 20 images, ten of each class.
        assert_eq!((stretch.within.pairs, stretch.between.pairs), (90, 100));
        assert_eq!(
            (stretch.jacobian_norms.len(), stretch.layer_norms.len()),
            (7, 2)
        );
        assert!(stretch.jacobian_median <= stretch.jacobian_largest);
        // In f32.
        let bound = stretch.layer_product * (1. + 1e-5);
        assert!(
            stretch.jacobian_largest <= bound
                && stretch.within.largest <= bound
                && stretch.between.largest <= bound
        );
        for sides in [stretch.isometric_gradient, stretch.cross_entropy_gradient] {
            assert!(
                sides.gradient > 0. && sides.gradient <= sides.bound,
                "{sides:?}"
            );
        }
    }
    assert_eq!(
        measured.values(|stretch| stretch.seed as f64),
        [[3., 5.], [3., 5.]]
    );
    assert_eq!(measured, stretch(&networks, &test, &settings, 7)?);
    assert!(stretch(&networks, &test, &settings, 0).is_err());
    let same = Dataset::new(test.inputs.clone(), test.labels.zeros_like()?)?;
    let error = stretch(&networks, &same, &settings, 7).unwrap_err();
    assert_eq!(
        error.to_string(),
        "pairs is none; expected at least one of points in two classes"
    );
    Ok(())
}

/// The row of a table that begins with `name`.
fn row<'t>(table: &'t Table, name: &str) -> &'t [String] {
    let row = table.rows.iter().find(|row| row[0] == name);
    row.map(Vec::as_slice).unwrap_or_default()
}

#[test]
fn figures_and_tables_show_the_numbers() -> Result<()> {
    let (images, settings) = (images()?, briefly());
    let networks = train_networks(&images, &settings)?;
    let test = images.test.first(20)?;
    let mean = |values: [f64; 2]| (values[0] + values[1]) / 2.;

    let losses = [3, 5].map(|seed| {
        networks
            .get(&1., seed)
            .map_or(f64::NAN, |t| t.isometric_loss)
    });
    let table = networks.table();
    assert_eq!(table.columns, ["β", "accuracy", "L_ISO"]);
    assert!(
        row(&table, "1")[2].starts_with(&format!("{:.3} ± ", mean(losses))),
        "{table}"
    );

    let robust = robustness(&networks, &images.test, &settings)?;
    let panels = robust.panels()?;
    let titles: Vec<&str> = panels
        .charts
        .iter()
        .map(|chart| chart.title.as_str())
        .collect();
    assert_eq!(
        titles,
        [
            "FGSM along L_CE",
            "FGSM along L_CE + β L_ISO",
            "PGD along L_CE",
            "PGD along L_CE + β L_ISO"
        ]
    );
    let last = &panels.charts[3].series[1];
    let at = |seed| robust.pgd.accuracy.training_loss[[1, seed, 2]];
    assert_eq!(
        (last.name.as_str(), last.mean[2]),
        ("β = 1", mean([at(0), at(1)]))
    );
    assert!(panels.note.contains("seeds [3, 5]") && panels.note.contains("20 for PGD"));

    let fgsm = robust.fgsm.at(0.1)?;
    let expected = fgsm.training_loss[1].iter().sum::<f64>() / 2.;
    assert!(
        row(&fgsm.table(), "1")[2].starts_with(&format!("{expected:.3} ± ")),
        "{}",
        fgsm.table()
    );
    assert_eq!(fgsm.chart()?.series[1].values[1], expected);

    let angles = gradient_angles(&networks, &test, &settings)?;
    assert_eq!(row(&angles.table(), "0")[1], "1.000");

    let strength = attack_strength(&networks, &test, &settings, 0.5)?;
    let chart = strength.chart();
    assert_eq!(chart.title, "Accuracy under PGD, ε = 0.5");
    assert_eq!(chart.groups, ["β = 0", "β = 1"]);
    assert_eq!(chart.series[6].values, strength.attacks[6].accuracy);

    let lipschitz = stretch(&networks, &test, &settings, 7)?;
    let largest = |seed| {
        lipschitz
            .get(&0., seed)
            .map_or(f64::NAN, |s| s.within.largest)
    };
    let expected = mean([largest(3), largest(5)]);
    let series = &lipschitz.chart()?.series[3];
    assert_eq!(
        (series.name.as_str(), series.values[0]),
        ("largest ratio in a class", expected)
    );
    let table = lipschitz.table(&fgsm);
    assert!(
        row(&table, "0")[2].starts_with(&format!("{expected:.2} ± ")),
        "{table}"
    );
    let histogram = lipschitz.derivatives(&[1., 10.]);
    assert_eq!(histogram.samples.len(), 1);
    // Seven images, two seeds.
    assert_eq!(histogram.samples[0].values.len(), 14);
    let bound = lipschitz.get(&1., 3)?.isometric_gradient.bound;
    assert_eq!(row(&lipschitz.gradients(), "1")[2], format!("{bound:.1e}"));

    let figures: [Result<Figure>; 6] = [
        robust.figure(),
        robust.fgsm.figure(),
        fgsm.figure(),
        strength.figure(),
        lipschitz.figure(),
        histogram.figure(),
    ];
    for figure in figures {
        assert!(figure?.alt.contains("β = 1"));
    }
    Ok(())
}

#[test]
fn bad_settings_are_refused() -> Result<()> {
    let images = images()?;
    for settings in [
        Settings {
            betas: vec![],
            ..settings()
        },
        Settings {
            seeds: vec![],
            ..settings()
        },
        Settings {
            betas: vec![-1.],
            ..settings()
        },
        Settings {
            betas: vec![f64::NAN],
            ..settings()
        },
        Settings {
            sizes: vec![5, 2],
            ..settings()
        },
        Settings {
            batch_size: 0,
            ..settings()
        },
        Settings {
            test_images: 0,
            ..settings()
        },
    ] {
        assert!(train_networks(&images, &settings).is_err(), "{settings:?}");
    }
    Ok(())
}
