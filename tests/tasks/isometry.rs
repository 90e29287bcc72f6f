//! The MNIST experiment as tasks gives what one machine gives, bit for bit.

use std::collections::BTreeMap;

use isopath::Result;
use isopath::candle::{DType, Device, Tensor};
use isopath::datasets::{Dataset, Split};
use isopath::experiments::isometry_mnist::{
    Elsewhere, Evidence, Further, IsometryMnist, Results, Robustness, Settings, Trained,
    attack_strength, compare_versions, fgsm_curves, gradient_angles, pgd_curves, robustness,
    stretch, train_networks,
};
use isopath::experiments::tasks::{Collected, Experiment as _};
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::scale::Scale;
use serde_json::{Value, json};

use crate::made_up::{run_and_collect, without_times};

/// Two classes of 2×2 images: bright on the left, bright on the right, with noise.
pub fn images() -> Result<Split> {
    let part = |n: usize, seed: u64| -> Result<Dataset> {
        let labels: Vec<u32> = (0..n as u32).map(|i| i % 2).collect();
        let pixels = labels.iter().flat_map(|label| match label {
            0 => [0.8f32, 0.2, 0.8, 0.2],
            _ => [0.2, 0.8, 0.2, 0.8],
        });
        let pixels = Tensor::from_vec(pixels.collect::<Vec<_>>(), (n, 4), &Device::Cpu)?;
        let noise = Rng::new(seed).uniform((n, 4), -0.15, 0.15, DType::F32, &Device::Cpu)?;
        Dataset::new(
            (pixels + noise)?,
            Tensor::from_vec(labels, n, &Device::Cpu)?,
        )
    };
    Ok(Split {
        train: part(60, 1)?,
        test: part(30, 2)?,
    })
}

fn settings() -> Settings {
    Settings {
        sizes: vec![4, 8, 8, 2],
        // The second has no short decimal form.
        betas: vec![0., 1. / 3., 1.],
        seeds: vec![0, 5],
        epochs: 3,
        batch_size: 10,
        test_images: 30,
        pgd_images: 20,
        step_sizes: vec![0.01, 0.1, 1.],
        progress: Progress::Hidden,
        ..Settings::of(Scale::Quick)
    }
}

/// With the same images in the place of CIFAR-10's.
fn further(settings: &Settings) -> Further {
    Further {
        elsewhere: Settings {
            epochs: 2,
            seeds: vec![3],
            ..settings.clone()
        },
        ..Further::of(Scale::Quick, settings)
    }
}

/// As the notebook has it.
fn one_machine(data: &Split, settings: &Settings) -> Result<[Value; 2]> {
    let further = further(settings);
    let photos = train_networks(data, &further.elsewhere)?;
    let on_photos = Robustness {
        fgsm: fgsm_curves(&photos, &data.test, &further.elsewhere)?,
        pgd: pgd_curves(&photos, &data.test, &further.elsewhere_pgd())?,
    };
    let elsewhere = Elsewhere::new("CIFAR-10", &further.elsewhere, &photos, on_photos);
    let networks = train_networks(data, settings)?;
    let robust = robustness(&networks, &data.test, settings)?;
    let some = data.test.first(further.images)?;
    let few = data.test.first(further.strength_images)?;
    let lipschitz = stretch(&networks, &some, settings, further.jacobians)?;
    let unclipped = robustness(&networks.first_seed(), &data.test, &further.unclipped)?;
    let on_logits = train_networks(data, &further.logits)?;
    let results = Results::new(Scale::Quick, settings, &networks, &robust, &lipschitz);
    let evidence = Evidence {
        angles: gradient_angles(&networks, &some, settings)?,
        strength: attack_strength(&networks, &few, settings, further.strength_eps)?,
        unclipped: [unclipped.fgsm, unclipped.pgd],
        logits: fgsm_curves(&on_logits, &data.test, &further.logits)?,
        versions: compare_versions(data, &further.versions, further.versions_alpha)?,
        elsewhere: Some(elsewhere),
    };
    Ok([json!(results), json!(evidence)])
}

#[test]
fn results_are_those_of_one_machine() -> Result<()> {
    let (data, settings) = (images()?, settings());
    let mut experiment = IsometryMnist::new(Scale::Quick, settings.clone()).with_data(data.clone());
    experiment.further = further(&settings);
    let folder = tempfile::tempdir().unwrap();
    let texts = run_and_collect(&experiment, folder.path(), 2)?;
    let expected = one_machine(&data, &settings)?;
    let collected = Collected::find_in(&folder.path().join("out"), &experiment)?.unwrap();
    let results = experiment.results(&collected.finished())?;
    assert_eq!(results.len(), 2);
    for ((text, (_, own)), expected) in texts.iter().zip(results).zip(expected) {
        assert_eq!(*text, format!("{own:#}\n"));
        assert_eq!(without_times(own), without_times(expected));
    }
    // A notebook gets the networks themselves.
    let found = experiment.found(&collected.finished())?;
    let networks = train_networks(&data, &settings)?;
    let weights = |trained: &Trained| {
        let all = trained.network.parameters().copies()?;
        let numbers = |(name, weights): (&String, &Tensor)| {
            Ok((name.clone(), weights.flatten_all()?.to_vec1::<f32>()?))
        };
        all.iter().map(numbers).collect::<Result<BTreeMap<_, _>>>()
    };
    for (own, other) in found.networks.runs.iter().zip(&networks.runs) {
        assert_eq!((own.parameter, own.seed), (other.parameter, other.seed));
        assert_eq!(weights(&own.result)?, weights(&other.result)?);
        assert_eq!(own.result.history.epochs.len(), 3);
    }
    assert_eq!(found.robustness.fgsm.betas, settings.betas);
    assert_eq!(
        (found.strength.images, found.strength.betas),
        (30, settings.betas)
    );
    Ok(())
}
