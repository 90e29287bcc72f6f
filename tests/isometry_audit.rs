//! The trainings of the audit, on made-up images.

mod common;

use std::collections::BTreeSet;

use common::{CPU, message, values, weights};
use isopath::Result;
use isopath::attacks::Warning;
use isopath::candle::{DType, Tensor};
use isopath::datasets::{Dataset, Split};
use isopath::experiments::isometry_audit::{
    AuditParams, Audited, Method, NearAndFar, Results, Settings, audit, rays, save_networks,
    smallest_images, train_network, train_networks,
};
use isopath::lipschitz::layer_norms;
use isopath::losses::Partition;
use isopath::models::{Activation, Mlp, Model, Network as _, Representation};
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::scale::Scale;

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
    let grid = smallest_images(&networks, &audits, &shown, 3)?;
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
