//! Sweeps of networks as tasks give what one machine gives, bit for bit.

use isopath::Result;
use isopath::experiments::tasks::{Collected, Experiment};
use isopath::experiments::{isometry_rings, isometry_torus};
use isopath::progress::Progress;
use isopath::scale::Scale;
use serde_json::{Value, json};

use crate::made_up::{run_and_collect, without_times};

/// Runs the tasks, and compares the collected file with one machine's.
fn expect_same(experiment: &dyn Experiment, own: &Value) -> Result<(tempfile::TempDir, Collected)> {
    let folder = tempfile::tempdir().unwrap();
    let texts = run_and_collect(experiment, folder.path(), 2)?;
    assert_eq!(texts.len(), 1);
    let collected: Value = serde_json::from_str(&texts[0]).unwrap();
    // As the file has it: numbers that are no numbers are null.
    let own: Value = serde_json::from_str(&own.to_string()).unwrap();
    assert_eq!(without_times(collected), without_times(own));
    let found = Collected::find_in(&folder.path().join("out"), experiment)?.unwrap();
    Ok((folder, found))
}

#[test]
fn rings_are_those_of_one_machine() -> Result<()> {
    let settings = isometry_rings::Settings {
        sizes: vec![3, 6, 2],
        seeds: vec![0, 4],
        epochs: 8,
        progress: Progress::Hidden,
        ..isometry_rings::Settings::of(Scale::Quick)
    };
    let networks = isometry_rings::train_networks(&settings)?;
    let own = json!(isometry_rings::Results::new(
        Scale::Quick,
        &settings,
        &networks
    ));
    let tasks = isometry_rings::tasks(Scale::Quick, settings);
    let (_folder, collected) = expect_same(&tasks, &own)?;
    let found = tasks.networks(&collected.finished())?;
    for (found, own) in found.runs.iter().zip(&networks.runs) {
        assert_eq!((found.parameter, found.seed), (own.parameter, own.seed));
        let points = |trained: &isometry_rings::Trained| -> Result<Vec<f32>> {
            Ok(trained.representation()?.flatten_all()?.to_vec1()?)
        };
        assert_eq!(points(&found.result)?, points(&own.result)?);
        let history = |trained: &isometry_rings::Trained| without_times(json!(trained.history));
        assert_eq!(history(&found.result), history(&own.result));
    }
    assert_eq!(found.runs.len(), 6);
    Ok(())
}

#[test]
fn stacks_on_the_torus_are_those_of_one_machine() -> Result<()> {
    let usual = isometry_torus::Settings::of(Scale::Quick);
    let mut torus = usual.torus.clone();
    (torus.toroidal, torus.poloidal) = (16, 8);
    let settings = isometry_torus::Settings {
        torus,
        hidden: vec![6],
        seeds: vec![0, 1],
        through_seeds: vec![1],
        epochs: 4,
        progress: Progress::Hidden,
        ..usual
    };
    let stacks = isometry_torus::train_stacks(&settings)?;
    let own = json!(isometry_torus::Results::new(
        Scale::Quick,
        &settings,
        &stacks
    )?);
    let tasks = isometry_torus::tasks(Scale::Quick, settings);
    let (_folder, collected) = expect_same(&tasks, &own)?;
    let found = tasks.networks(&collected.finished())?;
    assert_eq!(found.runs.len(), 3);
    for (found, own) in found.runs.iter().zip(&stacks.runs) {
        assert_eq!((found.parameter, found.seed), (own.parameter, own.seed));
        assert_eq!(found.result.levels, own.result.levels);
        let histories = |trained: &isometry_torus::Trained| without_times(json!(trained.histories));
        assert_eq!(histories(&found.result), histories(&own.result));
    }
    Ok(())
}
