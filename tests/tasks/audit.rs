//! The audit as tasks gives what one machine gives, bit for bit.

use std::collections::BTreeMap;
use std::path::Path;

use isopath::Result;
use isopath::candle::Tensor;
use isopath::datasets::Split;
use isopath::experiments::isometry_audit::{
    AuditParams, Found, IsometryAudit, Method, NearAndFar, NearAndFarParams, Results, Settings,
    audit, load_pretrained_from, save_pretrained, smallest_images, train_networks,
};
use isopath::experiments::tasks::{Collected, Experiment as _};
use isopath::progress::Progress;
use isopath::scale::Scale;
use serde_json::{Value, json};

use crate::isometry::images;
use crate::made_up::{run_and_collect, without_times};

const SHOWN: [Method; 3] = [
    Method::Plain,
    Method::AlmostOrthogonal,
    Method::Adversarial { eps: 0.1 },
];

fn settings() -> (Settings, AuditParams, NearAndFarParams) {
    let settings = Settings {
        methods: SHOWN.map(|method| (method, 4)).to_vec(),
        seeds: vec![0, 5],
        sizes: vec![4, 8, 8, 2],
        batch_size: 10,
        learning_rate: 0.01,
        attack_steps: 3,
        test_images: 30,
        progress: Progress::Hidden,
        ..Settings::of(Scale::Quick)
    };
    let params = AuditParams {
        images: 12,
        // So near that some images are never misled.
        linf: vec![0.3, 1. / 30.],
        l2: vec![0.9],
        steps: 5,
        queries: 20,
        kept_images: 3,
        progress: Progress::Hidden,
        ..AuditParams::of(Scale::Quick)
    };
    let near = NearAndFarParams {
        methods: SHOWN[..2].to_vec(),
        images: 20,
        epochs: 2,
    };
    (settings, params, near)
}

/// As the notebook has it.
fn one_machine(data: &Split, carried: Option<&Path>) -> Result<Found> {
    let (settings, params, near) = settings();
    let networks = match carried {
        Some(folder) => load_pretrained_from(folder, data, &settings)?,
        None => train_networks(data, &settings)?,
    };
    Ok(Found {
        audits: audit(&networks, &data.test, &params)?,
        near_and_far: NearAndFar::of(&networks, &data.test, &near)?,
        networks,
    })
}

/// All that the page shows of it.
fn shown(found: &Found, data: &Split) -> Result<Value> {
    let (networks, audits) = (&found.networks, &found.audits);
    let pixels = |images: &Tensor| -> Result<Vec<f32>> { Ok(images.flatten_all()?.to_vec1()?) };
    let mut kept = Vec::new();
    let mut weights = Vec::new();
    for run in &audits.runs {
        for norm in [&run.result.linf_norm, &run.result.l2_norm] {
            kept.push((norm.distance.clone(), pixels(&norm.images)?));
        }
    }
    for run in &networks.runs {
        let all: BTreeMap<_, _> = run
            .result
            .network
            .parameters()
            .copies()?
            .into_iter()
            .collect();
        for (name, tensor) in all {
            weights.push((run.seed, run.parameter.file_name(), name, pixels(&tensor)?));
        }
    }
    let grid = smallest_images(networks, audits, &data.test, &SHOWN)?;
    let accuracies = networks.values(|trained| trained.test_accuracy);
    let histories = networks.runs.iter().map(|run| &run.result.history);
    let histories: Vec<Value> = histories
        .map(|history| without_times(json!(history)))
        .collect();
    Ok(json!({
        "audit": audits.table().to_string(),
        "warnings": audits.warnings().to_string(),
        "curves": audits.curves()?.figure()?.svg,
        "smallest": format!("{grid:?}"),
        "kept": kept,
        "weights": weights,
        "accuracies": accuracies,
        "histories": histories,
        "learning": networks.learning_curves()?.figure()?.svg,
        "near_and_far": found.near_and_far,
    }))
}

fn expect_same(data: &Split, carried: Option<&Path>, tasks: usize) -> Result<()> {
    let (settings, params, near) = settings();
    let carried_in = carried.map(Into::into);
    let experiment = IsometryAudit::new(Scale::Quick, settings, params.clone(), near)
        .with_data(data.clone(), carried_in);
    assert_eq!(experiment.parts()?.len(), tasks);
    let folder = tempfile::tempdir().unwrap();
    let texts = run_and_collect(&experiment, folder.path(), 2)?;
    let own = one_machine(data, carried)?;
    let results = Results::new(Scale::Quick, &params, &own.audits);
    let expected = [json!(results), json!(own.near_and_far)];
    assert_eq!(texts.len(), 2);
    for (text, expected) in texts.iter().zip(expected) {
        let expected: Value = serde_json::from_str(&expected.to_string()).unwrap();
        let text: Value = serde_json::from_str(text).unwrap();
        assert_eq!(without_times(text), without_times(expected));
    }
    let collected = Collected::find_in(&folder.path().join("out"), &experiment)?.unwrap();
    let found = experiment.found(&collected.finished())?;
    let [found, own] = [shown(&found, data)?, shown(&own, data)?];
    for (name, own) in own.as_object().unwrap() {
        assert!(found[name] == *own, "{name}");
    }
    let kept = own["kept"][0].clone();
    assert_eq!(
        (
            kept[0].as_array().unwrap().len(),
            kept[1].as_array().unwrap().len()
        ),
        (12, 12)
    );
    Ok(())
}

#[test]
fn trained_networks_and_what_attacks_leave_are_those_of_one_machine() -> Result<()> {
    // Six networks, three attacks on each, and two and four near their boundary.
    expect_same(&images()?, None, 6 + 18 + 2 + 4)
}

#[test]
fn loaded_networks_need_no_task_of_their_own() -> Result<()> {
    let (data, (settings, ..)) = (images()?, settings());
    let networks = train_networks(&data, &settings)?;
    let folder = tempfile::tempdir().unwrap();
    save_pretrained(&networks, &data, &settings, "a test", folder.path())?;
    expect_same(&data, Some(folder.path()), 18 + 2 + 4)
}
