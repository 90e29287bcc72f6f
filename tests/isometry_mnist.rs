//! The MNIST experiment on made-up images: shapes, order and files of its results.

use candle_core::{DType, Device, Tensor};
use isopath::datasets::{Dataset, Split};
use isopath::experiments::isometry_mnist::{
    Attack, Networks, Results, Settings, attack_networks, attack_strength, gradient_angles,
    save_networks, stretch, train_networks,
};
use isopath::models::Network as _;
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::scale::Scale;
use isopath::{Error, Result};
use ndarray::s;

/// Two classes of 2×2 images: bright on the left, bright on the right, with noise.
fn images() -> Result<Split> {
    let half = |n: usize, seed: u64| -> Result<Dataset> {
        let labels: Vec<u32> = (0..n as u32).map(|i| i % 2).collect();
        let pixels: Vec<f32> = labels
            .iter()
            .flat_map(|label| {
                if *label == 0 {
                    [0.8, 0.2, 0.8, 0.2]
                } else {
                    [0.2, 0.8, 0.2, 0.8]
                }
            })
            .collect();
        let noise = Rng::new(seed).uniform((n, 4), -0.15, 0.15, DType::F32, &Device::Cpu)?;
        let images = (Tensor::from_vec(pixels, (n, 4), &Device::Cpu)? + noise)?;
        Dataset::new(images, Tensor::from_vec(labels, n, &Device::Cpu)?)
    };
    Ok(Split {
        train: half(200, 1)?,
        test: half(30, 2)?,
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

#[test]
fn results_are_ordered_by_beta_seed_and_step() -> Result<()> {
    let (images, settings) = (images()?, settings());
    let networks = train_networks(&images, &settings)?;
    let order: Vec<_> = networks
        .runs
        .iter()
        .map(|run| (run.result.beta, run.seed))
        .collect();
    assert_eq!(order, [(0., 3), (0., 5), (1., 3), (1., 5)]);
    // The classes are far apart, and β pulls the representation towards an isometry.
    assert!(
        networks
            .runs
            .iter()
            .all(|run| run.result.test_accuracy == 1.)
    );
    assert!(networks.get(&1., 3)?.isometric_loss < networks.get(&0., 3)?.isometric_loss);

    let fgsm = attack_networks(&networks, &images.test, &settings, Attack::Fgsm)?;
    let pgd = attack_networks(
        &networks,
        &images.test,
        &Settings {
            bounds: None,
            ..settings.clone()
        },
        Attack::Pgd,
    )?;
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
    }
    // A step of 0.01 cannot cross the gap, a step of 1 does.
    assert_eq!(
        (
            fgsm.accuracy.cross_entropy[[0, 0, 0]],
            fgsm.accuracy.cross_entropy[[0, 0, 2]]
        ),
        (1., 0.)
    );

    let [first, second] = pgd.accuracy.at(1)?;
    assert_eq!((first.len(), first[1].len()), (2, 2));
    assert_eq!(
        (first[1][0], second[1][1]),
        (
            pgd.accuracy.cross_entropy[[1, 0, 1]],
            pgd.accuracy.training_loss[[1, 1, 1]]
        )
    );
    assert_eq!(
        pgd.accuracy.at(3).unwrap_err().to_string(),
        "step is 3; expected below 3, the number of step sizes"
    );
    let data = images.test.first(20)?;
    let lipschitz = stretch(&networks, &settings, &data, 5)?;
    let json = serde_json::to_value(Results::new(
        Scale::Quick,
        &settings,
        &networks,
        [&fgsm, &pgd],
        &lipschitz,
    ));
    let json = json.map_err(|error| Error::argument("results", "JSON", error))?;
    let keys = |value: &serde_json::Value| {
        value
            .as_object()
            .map(|o| o.keys().cloned().collect::<Vec<_>>())
    };
    let names = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect());
    assert_eq!(
        keys(&json),
        names(&[
            "scale",
            "seeds",
            "beta",
            "test_accuracy",
            "isometric_loss",
            "fgsm",
            "pgd",
            "lipschitz",
            "seconds"
        ])
    );
    assert_eq!(keys(&json["fgsm"]), names(&["step_size", "accuracy"]));
    assert_eq!(
        keys(&json["pgd"]),
        names(&["eps", "steps", "step_size", "accuracy"])
    );
    assert_eq!(
        keys(&json["pgd"]["accuracy"]),
        names(&["cross_entropy", "training_loss"])
    );
    let along = &fgsm.accuracy.training_loss;
    let row = |beta, seed| along.slice(s![beta, seed, ..]).to_vec();
    let nested = serde_json::json!([[row(0, 0), row(0, 1)], [row(1, 0), row(1, 1)]]);
    assert_eq!(json["fgsm"]["accuracy"]["training_loss"], nested);
    assert_eq!(
        (&json["scale"], &json["seeds"]),
        (&"quick".into(), &serde_json::json!([3, 5]))
    );
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_network_and_its_weights_are_saved_by_name() -> Result<()> {
    let (images, settings) = (
        images()?,
        Settings {
            epochs: 2,
            ..settings()
        },
    );
    let (a, b) = (
        train_networks(&images, &settings)?,
        train_networks(&images, &settings)?,
    );
    let logits = |networks: &Networks| -> Result<Vec<Vec<f32>>> {
        let network = &networks.get(&1., 5)?.network;
        Ok(network.forward(&images.test.inputs)?.to_vec2::<f32>()?)
    };
    assert_eq!(logits(&a)?, logits(&b)?);
    assert!(a.get(&0.5, 5).is_err());

    let folder = tempfile::tempdir().map_err(Error::io("temporary folder"))?;
    save_networks(&a, folder.path())?;
    let weights = candle_core::safetensors::load(
        folder.path().join("beta_1_seed_5.safetensors"),
        &Device::Cpu,
    )?;
    assert_eq!(weights["layers.0.weight"].dims(), [8, 4]);
    assert_eq!(weights.len(), 6);
    Ok(())
}

#[test]
fn evidence_covers_every_beta() -> Result<()> {
    let (images, settings) = (
        images()?,
        Settings {
            epochs: 2,
            ..settings()
        },
    );
    let networks = train_networks(&images, &settings)?;
    let data = images.test.first(20)?;
    let angles = gradient_angles(&networks, &settings, &data)?;
    assert_eq!(
        angles.iter().map(|angle| angle.beta).collect::<Vec<_>>(),
        [0., 1.]
    );
    // At β = 0 both losses are one.
    assert!((angles[0].cosine - 1.).abs() < 1e-6 && angles[0].isometric == 0.);
    assert!(angles[1].cosine < 1. && angles[1].isometric > 0.);
    let strength = attack_strength(&networks, &settings, &data, 0.5)?;
    assert_eq!(strength.len(), 7);
    assert!(strength.iter().all(|found| found.accuracy.len() == 2));
    Ok(())
}

#[test]
fn estimates_of_the_lipschitz_constant_are_ordered() -> Result<()> {
    let (images, settings) = (
        images()?,
        Settings {
            epochs: 2,
            ..settings()
        },
    );
    let networks = train_networks(&images, &settings)?;
    let data = images.test.first(20)?;
    let found = stretch(&networks, &settings, &data, 7)?;
    let order: Vec<_> = found
        .runs
        .iter()
        .map(|run| (run.result.beta, run.result.seed))
        .collect();
    assert_eq!(order, [(0., 3), (0., 5), (1., 3), (1., 5)]);
    for stretch in found.runs.iter().map(|run| &run.result) {
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
        found.values(|stretch| stretch.seed as f64),
        [[3., 5.], [3., 5.]]
    );
    assert_eq!(found, stretch(&networks, &settings, &data, 7)?);
    assert!(stretch(&networks, &settings, &data, 0).is_err());
    let same = Dataset::new(data.inputs.clone(), data.labels.zeros_like()?)?;
    let error = stretch(&networks, &settings, &same, 7)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "pairs is none; expected at least one of points in two classes"
    );
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
