//! What holds for every plan.

use std::sync::atomic::Ordering;
use std::time::Instant;

use isopath::experiments::tasks::{
    Collected, Experiment, Finished, FromPlan, Given, Need, Output, Outputs as _, Part, Plan, Ran,
    Runner, Store, Trial, collect, missing, run_here, status,
};
use isopath::progress::Progress;
use isopath::scale::Scale;
use isopath::{Error, Result};
use serde_json::{Value, json};

use crate::made_up::{Squares, run_and_collect};

#[test]
fn a_plan_is_read_as_it_was_written() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.jsonl");
    let plan = Plan::new(&Squares::new(10), Some(1.))?;
    plan.write(&file)?;
    assert_eq!(Plan::read(&file)?, plan);
    // Three times 20 s are a minute; a job has tasks of one stage.
    let jobs: Vec<usize> = plan.tasks.iter().map(|task| task.job).collect();
    assert_eq!(jobs, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 4]);
    assert_eq!((plan.header.jobs, plan.stages()), (5, 2));
    assert_eq!(plan.job(3)?.len(), 1);
    // Jobs and estimates change no result, so they are another grouping of the same plan.
    assert_eq!(
        Plan::new(&Squares::new(10), None)?.header.digest,
        plan.header.digest
    );
    assert_ne!(
        Plan::new(&Squares::new(11), None)?.header.digest,
        plan.header.digest
    );
    Ok(())
}

#[test]
fn results_do_not_depend_on_workers_and_order() -> Result<()> {
    let folders = [0, 1, 2].map(|_| tempfile::tempdir().unwrap());
    let one = run_and_collect(&Squares::new(30), folders[0].path(), 1)?;
    let four = run_and_collect(&Squares::new(30), folders[1].path(), 4)?;
    assert_eq!(one, four);
    // By hand, backwards.
    let (experiment, folder) = (Squares::new(30), folders[2].path());
    let plan = Plan::new(&experiment, None)?;
    let store = Store::open(folder, &plan)?;
    let runner = Runner::new(&plan, &experiment, &store)?;
    for task in (0..30).rev().chain([30]) {
        assert!(matches!(runner.task(task)?, Ran::Now(_)));
    }
    collect(&plan, &experiment, &store, folder)?;
    let text = std::fs::read_to_string(folder.join("squares.json")).unwrap();
    assert_eq!([text], one[..]);
    Ok(())
}

#[test]
fn a_finished_task_is_not_run_again_and_a_torn_one_is() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let experiment = Squares::new(5);
    let plan = Plan::new(&experiment, None)?;
    let store = Store::open(folder.path(), &plan)?;
    let runner = Runner::new(&plan, &experiment, &store)?;
    run_here(&plan, &runner, 2, &Progress::Hidden)?;
    run_here(&plan, &runner, 2, &Progress::Hidden)?;
    assert_eq!(experiment.runs.load(Ordering::Relaxed), 6);
    let record = store.record(2)?.unwrap();
    assert_eq!(
        (record.task, record.seed, record.plan),
        (2, 2, plan.header.digest.clone())
    );
    assert!(!record.machine.host.is_empty() && record.peak_memory_mb > 0);
    // Cut off, changed, and empty.
    let whole = std::fs::read(store.result(2)).unwrap();
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    for torn in [&whole[..whole.len() - 3], &changed, &[]] {
        std::fs::write(store.result(2), torn).unwrap();
        let missing = missing(&plan, &store)?;
        assert_eq!((missing.len(), missing[0].task), (1, 2));
        assert!(
            missing[0].reason.contains("a whole file of a task"),
            "{}",
            missing[0].reason
        );
        assert!(collect(&plan, &experiment, &store, folder.path()).is_err());
        assert!(matches!(runner.task(2)?, Ran::Now(_)));
    }
    assert!(collect(&plan, &experiment, &store, folder.path()).is_ok());
    Ok(())
}

#[test]
fn two_that_run_the_same_task_do_not_disturb_each_other() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let experiment = Squares::new(3);
    let plan = Plan::new(&experiment, None)?;
    let store = Store::open(folder.path(), &plan)?;
    let runner = Runner::new(&plan, &experiment, &store)?;
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| runner.task(1))).collect();
        assert!(all.into_iter().all(|one| one.join().unwrap().is_ok()));
    });
    assert!(store.record(1)?.is_some());
    let files = std::fs::read_dir(folder.path().join("000")).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["000001.task"], "only the result is left");
    Ok(())
}

#[test]
fn failures_are_named_and_others_go_on() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let experiment = Squares::failing(6, 1, 4);
    let plan = Plan::new(&experiment, None)?;
    let store = Store::open(folder.path(), &plan)?;
    let runner = Runner::new(&plan, &experiment, &store)?;
    let failed = run_here(&plan, &runner, 2, &Progress::Hidden)?;
    // The sum needs both.
    let tasks: Vec<usize> = failed.iter().map(|(task, _)| *task).collect();
    assert_eq!(tasks, [1, 4, 6]);
    let found = status(&plan, &store)?;
    assert_eq!((found.done, found.failed.len(), found.waiting), (4, 3, 0));
    let text = found.to_string();
    assert!(
        text.starts_with("4 of 7 tasks done, 0 running, 3 failed"),
        "{text}"
    );
    assert!(
        text.contains("task 4 on ") && text.contains("a panic: no square of 4"),
        "{text}"
    );
    assert!(
        missing(&plan, &store)?[0]
            .reason
            .contains("square is 1; expected another")
    );
    // Mended, only these run.
    let experiment = Squares::new(6);
    let runner = Runner::new(&plan, &experiment, &store)?;
    run_here(&plan, &runner, 2, &Progress::Hidden)?;
    assert_eq!(experiment.runs.load(Ordering::Relaxed), 3);
    assert_eq!(status(&plan, &store)?.done, 7);
    collect(&plan, &experiment, &store, folder.path())?;
    Ok(())
}

#[test]
fn collected_results_are_found_by_the_plan() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let experiment = Squares::new(4);
    assert!(Collected::find_in(folder.path(), &experiment)?.is_none());
    run_and_collect(&experiment, folder.path(), 2)?;
    let out = folder.path().join("out");
    assert!(Collected::find_in(&out, &Squares::new(5))?.is_none());
    let collected = Collected::find_in(&out, &experiment)?;
    let found = FromPlan::of(collected, |finished| finished.output(&"sum")?.read::<f64>())?;
    assert_eq!(
        found.or(|sum| sum, || panic!("computed"))?,
        (1. / 3. + 4. / 3.) + 9. / 3.
    );
    let text = found.to_string();
    assert!(
        text.contains("squares, quick scale") && text.contains("5 tasks"),
        "{text}"
    );
    // A copy that was cut off.
    let plan = Plan::new(&experiment, None)?;
    let file = out.join("plans").join(format!("{}.tasks", plan.name()));
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 5]).unwrap();
    assert!(Collected::find_in(&out, &experiment).is_err());
    Ok(())
}

/// A twentieth of what `isopath tasks trial --scale paper` plans; README says what that takes.
#[test]
fn half_of_many_tasks_are_looked_through_quickly() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let experiment = Squares::new(5_000);
    let plan = Plan::new(&experiment, None)?;
    let store = Store::open(folder.path(), &plan)?;
    let runner = Runner::new(&plan, &experiment, &store)?;
    (0..5_000)
        .step_by(2)
        .try_for_each(|task| runner.task(task).map(drop))?;
    let begin = Instant::now();
    assert_eq!(missing(&plan, &store)?.len(), 2_501);
    let found = status(&plan, &store)?;
    assert_eq!((found.done, found.waiting), (2_500, 2_501));
    assert!(begin.elapsed().as_secs() < 10, "{:?}", begin.elapsed());
    Ok(())
}

#[test]
fn the_trial_s_means_are_those_of_its_draws() -> Result<()> {
    let plan = Plan::new(
        &Trial {
            scale: Scale::Quick,
        },
        None,
    )?;
    assert_eq!((plan.tasks.len(), plan.stages()), (21, 2));
    assert_eq!(plan.tasks[20].needs, (0..20).collect::<Vec<_>>());
    assert_eq!(
        Plan::new(
            &Trial {
                scale: Scale::Paper
            },
            None
        )?
        .tasks
        .len(),
        101_000
    );
    Ok(())
}

/// A training in steps that is stopped after each.
#[derive(Debug)]
struct Steps;

impl Experiment for Steps {
    fn name(&self) -> &'static str {
        "steps"
    }

    fn scale(&self) -> Scale {
        Scale::Quick
    }

    fn settings(&self) -> String {
        String::new()
    }

    fn needs(&self) -> Result<Vec<Need>> {
        Ok(Vec::new())
    }

    fn parts(&self) -> Result<Vec<Part>> {
        Ok(vec![Part::new(&json!({}), 1., 1)?])
    }

    fn run(&self, _: &Value, given: &Given<'_>) -> Result<Output> {
        let done = std::fs::read(given.checkpoint()).unwrap_or_default().len();
        match done {
            3 => Output::of(&done),
            _ => {
                std::fs::write(given.checkpoint(), vec![0; done + 1]).unwrap();
                Err(Error::argument("power", "on", "off"))
            }
        }
    }

    fn results(&self, _: &Finished<'_>) -> Result<Vec<(String, Value)>> {
        Ok(Vec::new())
    }
}

#[test]
fn a_task_that_was_stopped_goes_on_from_its_checkpoint() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan::new(&Steps, None)?;
    let store = Store::open(folder.path(), &plan)?;
    let runner = Runner::new(&plan, &Steps, &store)?;
    for _ in 0..3 {
        assert!(runner.task(0).is_err());
    }
    assert!(matches!(runner.task(0)?, Ran::Now(_)));
    assert_eq!(store.output(0)?.read::<usize>()?, 3);
    let left = std::fs::read_dir(folder.path().join("000"))
        .unwrap()
        .count();
    assert_eq!(left, 1, "only the result is left");
    Ok(())
}
