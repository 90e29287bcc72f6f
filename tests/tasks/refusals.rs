//! Bad input, in one line each.

use isopath::Result;
use isopath::experiments::tasks::{
    Experiment, Finished, Given, Need, Output, Part, Plan, Runner, Store, Trial, experiment,
};
use isopath::scale::Scale;
use serde_json::{Value, json};

use crate::made_up::Squares;

fn message<T>(result: Result<T>) -> String {
    let message = result
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

#[test]
fn indices_out_of_range() -> Result<()> {
    let plan = Plan::new(&Squares::new(3), Some(1.))?;
    assert_eq!(
        message(plan.job(2)),
        "index is 2; expected from 0 to 1, the plan's jobs"
    );
    assert_eq!(
        message(plan.task(4)),
        "task is 4; expected from 0 to 3, the plan's tasks"
    );
    for minutes in [0., -1., f64::NAN, f64::INFINITY] {
        assert!(message(Plan::new(&Squares::new(3), Some(minutes))).starts_with("minutes is"));
    }
    Ok(())
}

#[test]
fn plans_of_another_version_and_changed_ones() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.jsonl");
    Plan::new(&Squares::new(3), None)?.write(&file)?;
    let text = std::fs::read_to_string(&file).unwrap();
    let refused = |text: &str| {
        std::fs::write(&file, text).unwrap();
        message(Plan::read(&file))
    };
    let version = refused(&text.replace("\"version\":\"", "\"version\":\"9."));
    assert!(
        version.contains("a plan of isopath 9.") && version.contains("digest"),
        "{version}"
    );
    for (old, new) in [
        ("{\"square\":2}", "{\"square\":7}"),
        ("\"seed\":1", "\"seed\":2"),
        ("3 squares", "4 squares"),
    ] {
        let changed = refused(&text.replacen(old, new, 1));
        assert!(changed.contains("cut off, or changed by hand"), "{changed}");
    }
    let lines: Vec<&str> = text.lines().collect();
    assert!(refused(&lines[..3].join("\n")).contains("cut off"));
    assert!(refused(&format!("{text}x")).contains("line 6 is none"));
    assert!(refused("{\"plan\":2}").contains("a plan of format 2"));
    assert!(refused("{}").contains("no plan"));
    assert!(refused("").contains("line 1 is none"));
    assert!(message(Plan::read(folder.path().join("none"))).contains("No such file"));
    // Estimates are no part of what is checked.
    std::fs::write(&file, text.replace("\"seconds\":20.0", "\"seconds\":30.0")).unwrap();
    Plan::read(&file)?;
    Ok(())
}

#[test]
fn another_experiment_and_another_build() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan::new(&Squares::new(3), None)?;
    let store = Store::open(folder.path(), &plan)?;
    for other in [
        &Squares::new(4) as &dyn Experiment,
        &Trial {
            scale: Scale::Quick,
        },
    ] {
        let message = message(Runner::new(&plan, other, &store));
        assert!(
            message.contains("another build") && message.contains("digest"),
            "{message}"
        );
    }
    let known = message(experiment("nothing", Scale::Quick));
    assert!(
        known.contains("isometry_mnist") && known.contains("certify"),
        "{known}"
    );
    Ok(())
}

#[test]
fn results_of_another_plan() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let [plan, other] =
        [Squares::new(3), Squares::new(4)].map(|squares| Plan::new(&squares, None).unwrap());
    Store::open(folder.path(), &plan)?;
    Store::open(folder.path(), &plan)?;
    let message = message(Store::open(folder.path(), &other));
    assert!(
        message.contains(plan.name()) && message.contains(other.name()),
        "{message}"
    );
    // A task's file that was copied from there.
    let (own, experiment) = (Squares::new(3), Squares::new(4));
    let [one, two] = [0, 1].map(|_| tempfile::tempdir().unwrap());
    let (one, two) = (
        Store::open(one.path(), &plan)?,
        Store::open(two.path(), &other)?,
    );
    Runner::new(&plan, &own, &one)?.task(0)?;
    Runner::new(&other, &experiment, &two)?.task(0)?;
    std::fs::copy(one.result(0), two.result(0)).unwrap();
    assert!(two.record(0).is_err());
    Ok(())
}

#[test]
fn a_task_before_what_it_needs() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let experiment = Squares::new(3);
    let plan = Plan::new(&experiment, None)?;
    let store = Store::open(folder.path(), &plan)?;
    let message = message(Runner::new(&plan, &experiment, &store)?.task(3));
    assert!(
        message.contains("missing; expected the result of task 0"),
        "{message}"
    );
    Ok(())
}

/// One that needs a file that no machine has.
#[derive(Debug)]
struct Needy(Need, usize);

impl Experiment for Needy {
    fn name(&self) -> &'static str {
        "needy"
    }

    fn scale(&self) -> Scale {
        Scale::Quick
    }

    fn settings(&self) -> String {
        String::new()
    }

    fn needs(&self) -> Result<Vec<Need>> {
        Ok(vec![self.0.clone()])
    }

    fn parts(&self) -> Result<Vec<Part>> {
        let part = Part::new(&json!(0), 1., 1)?;
        let needs = vec![self.1];
        Ok(vec![
            part.clone(),
            Part {
                stage: 1,
                needs,
                ..part
            },
        ])
    }

    fn run(&self, _: &Value, _: &Given<'_>) -> Result<Output> {
        Output::of(&0)
    }

    fn results(&self, _: &Finished<'_>) -> Result<Vec<(String, Value)>> {
        Ok(Vec::new())
    }
}

#[test]
fn a_missing_file_says_where_it_goes() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let need = Need {
        of: "mnist".into(),
        file: "no-such-file".into(),
        sha256: "12ab".into(),
    };
    let experiment = Needy(need.clone(), 0);
    let plan = Plan::new(&experiment, None)?;
    let store = Store::open(folder.path(), &plan)?;
    let text = message(Runner::new(&plan, &experiment, &store));
    let path = need.path().display().to_string();
    assert!(
        text.starts_with(&path) && path.ends_with("mnist/no-such-file"),
        "{text}"
    );
    assert!(
        text.contains("SHA-256 12ab: `isopath data mnist`"),
        "{text}"
    );
    assert!(text.contains("copy it there"), "{text}");
    let other = Need {
        of: "checkpoints".into(),
        file: "cifar10_resnet50_width16_seed0".into(),
        ..need.clone()
    };
    assert!(message(other.check()).contains("the repository's file with SHA-256 12ab"));
    // A part that needs a later one.
    assert!(message(Plan::new(&Needy(need, 1), None)).contains("needs of earlier stages alone"));
    Ok(())
}
