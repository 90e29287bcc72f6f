//! The trainings of the audit, on made-up images.

mod common;

use std::collections::BTreeSet;

use common::{CPU, assert_close, message, values, weights};
use isopath::Result;
use isopath::attacks::Warning;
use isopath::candle::{DType, Tensor};
use isopath::datasets::{Dataset, Split};
use isopath::experiments::isometry_audit::{
    AuditParams, Audited, Method, NearAndFar, Results, Settings, audit, load_pretrained_from, rays,
    save_networks, save_pretrained, smallest_images, train_network, train_networks,
};
use isopath::lipschitz::layer_norms;
use isopath::losses::Partition;
use isopath::models::{Activation, History, Mlp, Model, Network as _, Representation, pretrained};
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::scale::Scale;
use isopath::training::Status;

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
        let noise = Rng::new(seed).uniform((n, 4), -0.15, 0.15, DType::F32, CPU)?;
        let images = (Tensor::from_vec(pixels, (n, 4), CPU)? + noise)?;
        Dataset::new(images, Tensor::from_vec(labels, n, CPU)?)
    };
    Ok(Split {
        train: part(200, 1)?,
        test: part(30, 2)?,
    })
}

/// Every method, briefly.
fn settings() -> Settings {
    let methods = Settings::of(Scale::Default).methods;
    Settings {
        methods: methods.into_iter().map(|(method, _)| (method, 8)).collect(),
        seeds: vec![3],
        sizes: vec![4, 8, 8, 2],
        batch_size: 10,
        learning_rate: 0.01,
        attack_steps: 3,
        test_images: 30,
        progress: Progress::Hidden,
        ..Settings::of(Scale::Quick)
    }
}

#[test]
fn every_method_learns_and_leaves_a_plain_network() -> Result<()> {
    let (images, settings) = (images()?, settings());
    let networks = train_networks(&images, &settings)?;
    assert_eq!(networks.runs.len(), settings.methods.len());
    let folder = tempfile::tempdir().unwrap();
    save_networks(&networks, folder.path())?;
    for run in &networks.runs {
        let trained = &run.result;
        let method = trained.method;
        assert!(
            trained.test_accuracy > 0.9,
            "{method}: {}",
            trained.test_accuracy
        );
        assert_eq!((trained.seed, trained.history.epochs.len()), (3, 8));
        let norms = layer_norms(&trained.network, Representation::Logits)?;
        match method {
            Method::Spectral { .. } => {
                assert!(
                    norms.iter().all(|norm| (norm - 1.).abs() < 1e-4),
                    "{norms:?}"
                );
            }
            Method::AlmostOrthogonal => assert!(norms.iter().all(|norm| *norm < 1.00001)),
            _ => {}
        }
        // The file is the network, for anyone.
        let file = folder
            .path()
            .join(format!("{}_seed_3.safetensors", method.file_name()));
        let read = Model::on(0, DType::F32, CPU, |vb| {
            Mlp::new(&[4, 8, 8, 2], Activation::Tanh, vb)
        })?
        .load(file)?;
        let x = &images.test.inputs;
        assert_eq!(
            values(&read.forward(x)?),
            values(&trained.network.forward(x)?)
        );
    }
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_weights() -> Result<()> {
    let (images, settings) = (images()?, settings());
    for method in [
        Method::Adversarial { eps: 0.1 },
        Method::Jacobian { lambda: 0.1 },
    ] {
        let train = |seed| -> Result<Vec<f64>> {
            let network = train_network(&images, &settings, &method, seed, &mut |_| ())?.network;
            Ok(weights(network.parameters()))
        };
        assert_eq!(train(1)?, train(1)?);
        assert_ne!(train(1)?, train(2)?);
    }
    Ok(())
}

#[test]
fn an_interrupted_training_continues_to_the_same_network() -> Result<()> {
    let (images, settings) = (images()?, settings());
    let folder = tempfile::tempdir().unwrap();
    let runs = Some(folder.path().to_path_buf());
    let settings = Settings { runs, ..settings };
    for method in [
        Method::Trades { beta: 6., eps: 0.1 },
        Method::AlmostOrthogonal,
        Method::Jacobian { lambda: 0.1 },
    ] {
        let stop = |status: &Status| {
            if status.epoch == 4 {
                panic!("stopped");
            }
        };
        let train = |observer: &mut dyn FnMut(&Status)| {
            train_network(&images, &settings, &method, 3, observer)
        };
        let begin = || train(&mut |status| stop(status)).map(drop);
        let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(begin));
        assert!(stopped.is_err(), "{method}");
        let continued = train(&mut |_| ())?;
        let whole = Settings {
            runs: None,
            ..settings.clone()
        };
        let whole = train_network(&images, &whole, &method, 3, &mut |_| ())?;
        assert_eq!(
            weights(continued.network.parameters()),
            weights(whole.network.parameters())
        );
        assert_eq!(continued.history.epochs.len(), 8);
        assert!(continued.seconds > 0.);
    }
    Ok(())
}

#[test]
fn networks_are_loaded_as_they_were_saved_but_for_rounding() -> Result<()> {
    let images = images()?;
    let shown = [Method::Plain, Method::AlmostOrthogonal];
    let settings = Settings {
        methods: shown.map(|method| (method, 2)).to_vec(),
        seeds: vec![0, 5],
        ..settings()
    };
    let networks = train_networks(&images, &settings)?;
    let curves = networks.learning_curves()?;
    assert_eq!((curves.series.len(), curves.series[0].x.len()), (2, 2));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let files = save_pretrained(&networks, &images, &settings, "a test", folder)?;
    assert_eq!(files.len(), 2);
    let loaded = load_pretrained_from(folder, &images, &settings)?;
    for (run, own) in networks.runs.iter().zip(&loaded.runs) {
        assert_eq!((run.parameter, run.seed), (own.parameter, own.seed));
        let losses = |history: &History| -> Vec<f64> {
            history.epochs.iter().map(|epoch| epoch.loss).collect()
        };
        let (expected, found) = (losses(&run.result.history), losses(&own.result.history));
        assert_close(&found, &expected, 1e-12);
        let found = run.result.compared(&own.result, &images.test)?;
        assert_eq!((found.weights, found.equal), (130, 130));
        assert!(found.largest > 0. && found.largest < 2e-3, "{found}");
        assert_eq!((found.images, found.other_answers), (30, 0));
        assert!(found.to_string().starts_with("130 of 130 weights"));
        let itself = run.result.compared(&run.result, &images.test)?;
        assert_eq!(itself.largest, 0.);
    }
    let other = networks.runs[0]
        .result
        .compared(&networks.runs[1].result, &images.test)?;
    assert!(other.equal < 30 && other.largest > 0.1, "{other}");

    // What is not that of the record is refused.
    let refused = |images: &Split, settings: &Settings| {
        message(load_pretrained_from(folder, images, settings))
    };
    let longer = Settings {
        methods: vec![(Method::Plain, 3)],
        ..settings.clone()
    };
    assert!(refused(&images, &longer).contains("epochs: 2"));
    let more = Settings {
        seeds: vec![1],
        ..settings.clone()
    };
    assert!(refused(&images, &more).contains("expected seed 1"));
    let fewer = Split {
        train: images.train.first(199)?,
        ..images.clone()
    };
    assert!(refused(&fewer, &settings).contains("train_images: 200"));
    let (first, second) = (&files[0], &files[1]);
    std::fs::copy(second, first).unwrap();
    assert!(refused(&images, &settings).contains("the SHA-256 of its record"));
    Ok(())
}

/// Without the images, which a test does not download: the records are those of the scale.
#[test]
fn the_networks_of_the_repository_are_those_of_their_records() -> Result<()> {
    let settings = Settings::of(Scale::Default);
    for (method, epochs) in &settings.methods {
        let name = format!("isometry_audit_{}", method.file_name());
        let path = pretrained::checkpoint(&name);
        assert!(
            std::fs::metadata(&path).unwrap().len() < 1_000_000,
            "{name}"
        );
        let text = std::fs::read(path.with_extension("json")).unwrap();
        let record: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(record["sha256"], isopath::io::digest::of_file(&path)?);
        let of = &record["settings"];
        assert_eq!(
            (&of["method"], &of["epochs"]),
            (&method.to_string().into(), &(*epochs).into())
        );
        assert_eq!(of["sizes"], serde_json::json!(settings.sizes));
        let networks = record["networks"].as_array().unwrap();
        let seeds: Vec<u64> = networks
            .iter()
            .map(|one| one["seed"].as_u64().unwrap())
            .collect();
        assert_eq!(seeds, settings.seeds);
        for network in networks {
            let own = network["history"]["epochs"].as_array().unwrap();
            assert_eq!(own.len(), *epochs);
            assert!(network["test_accuracy"].as_f64().unwrap() > 0.85, "{name}");
        }
    }
    Ok(())
}

#[test]
fn methods_have_names_of_their_own() {
    for scale in [Scale::Quick, Scale::Default, Scale::Paper] {
        let methods: Vec<Method> = Settings::of(scale)
            .methods
            .iter()
            .map(|(m, _)| *m)
            .collect();
        let names: BTreeSet<String> = methods.iter().map(Method::file_name).collect();
        let words: BTreeSet<String> = methods.iter().map(Method::describe).collect();
        assert_eq!((names.len(), words.len()), (methods.len(), methods.len()));
        assert!(names.iter().all(|name| name.is_ascii()), "{names:?}");
    }
    let isometric = Method::Isometric {
        beta: 0.1,
        scale: 10.,
        partition: Partition::Global,
    };
    assert_eq!(isometric.to_string(), "isometric, β = 0.1, K = 10, global");
    assert_eq!(isometric.file_name(), "isometric_beta_0.1_k_10_global");
    assert_eq!(Method::isometric(1.).to_string(), "isometric, β = 1");
}

#[test]
fn bad_input_is_named() -> Result<()> {
    let images = images()?;
    let train = |settings: &Settings, method: &Method| {
        message(train_network(&images, settings, method, 0, &mut |_| ()))
    };
    let unknown = Method::isometric(7.);
    assert!(
        train(&settings(), &unknown)
            .starts_with("method is isometric, β = 7; expected one of plain; isometric, β = 1; ")
    );
    let negative = Method::Trades {
        beta: -1.,
        eps: 0.1,
    };
    let with = Settings {
        methods: vec![(negative, 1)],
        ..settings()
    };
    assert_eq!(
        train(&with, &negative),
        "beta is -1; expected a finite number ≥ 0"
    );
    let none = Settings {
        methods: vec![],
        ..settings()
    };
    assert!(message(train_networks(&images, &none)).contains("at least one of each"));
    Ok(())
}

#[test]
fn the_audit_says_what_withstands_in_a_table_curves_and_json() -> Result<()> {
    let images = images()?;
    let shown = [Method::Plain, Method::isometric(1.)];
    let settings = Settings {
        methods: shown.map(|method| (method, 8)).to_vec(),
        ..settings()
    };
    let networks = train_networks(&images, &settings)?;
    let params = AuditParams {
        images: 12,
        linf: vec![0.4, 0.05],
        l2: vec![0.9],
        steps: 10,
        queries: 20,
        kept_images: 3,
        progress: Progress::Hidden,
        ..AuditParams::of(Scale::Quick)
    };
    let audits = audit(&networks, &images.test, &params)?;
    assert_eq!(audits.table().rows.len(), 2);
    for run in &audits.runs {
        let Audited {
            linf,
            linf_norm,
            l2,
            ..
        } = &run.result;
        // The wider ball leaves no more than the narrower one, and that no more than the network gets right.
        assert!(linf[0].robust_accuracy <= linf[1].robust_accuracy);
        assert!(linf[1].robust_accuracy <= linf_norm.robust_accuracy(0.));
        assert!(l2[0].robust_accuracy < 1.);
        assert_eq!(linf[0].images, 12);
        let few = Warning::FewClasses { classes: 2 };
        assert!(run.result.warnings().contains(&few));
    }
    assert!(audits.warnings().rows.len() >= 2);
    assert!(audits.curves()?.figure()?.svg.contains("radius"));
    let grid = smallest_images(&networks, &audits, &images.test, &shown)?;
    assert_eq!((grid.rows.len(), grid.rows[0].len()), (3, 3));

    let numbers = Results::new(Scale::Quick, &params, &audits);
    let numbers = serde_json::to_value(numbers).unwrap();
    assert_eq!(
        (&numbers["scale"], &numbers["test_images"]),
        (&"quick".into(), &12.into())
    );
    let network = &numbers["networks"][1];
    assert_eq!(network["name"], "isometric, β = 1");
    assert_eq!(
        network["weights"],
        "isometry_audit/isometric_beta_1_seed_3.safetensors"
    );
    assert_eq!(
        network["autoattack"]["linf"]["0.4"],
        audits.runs[1].result.linf[0].robust_accuracy
    );
    for name in [
        "seed",
        "accuracy",
        "median_norm",
        "paper_attack",
        "warnings",
    ] {
        assert!(!network[name].is_null(), "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    save_networks(&networks, folder.path())?;
    assert!(folder.path().join(audits.runs[1].result.file()).exists());
    Ok(())
}

#[test]
fn along_its_own_gradient_the_cross_entropy_rises_most() -> Result<()> {
    let images = images()?;
    let settings = settings();
    let network = train_network(&images, &settings, &Method::Plain, 3, &mut |_| ())?.network;
    let loss = Method::isometric(1.).attackers_loss();
    let found = rays("plain", &network, &loss, &images.test, &[0., 0.05, 0.1])?;
    let [own, other, random] = [0, 1, 2].map(|at| found.loss[at][2]);
    assert!(own > random && own >= other, "{own} {other} {random}");
    assert!(found.loss.iter().all(|loss| loss[0] == found.loss[0][0]));
    assert!(found.figure()?.svg.contains("random signs"));
    assert!(message(rays("plain", &network, &loss, &images.test, &[-1.])).contains("distances"));

    let mut near = NearAndFar::default();
    near.push("plain", &network, &images.test)?;
    assert_eq!((near.table().rows.len(), near.networks[0].1.len()), (1, 4));
    Ok(())
}
