//! A made-up experiment: squares, and the sum of them all.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use isopath::experiments::tasks::{
    Experiment, Finished, Given, Need, Output, Part, Plan, Runner, Store, collect, run_here,
};
use isopath::progress::Progress;
use isopath::scale::Scale;
use isopath::{Error, Result};
use serde_json::{Value, json};

#[derive(Debug)]
pub struct Squares {
    pub count: usize,
    /// A task that fails, and one that panics.
    pub failing: Option<usize>,
    pub panicking: Option<usize>,
    /// How often a task has run.
    pub runs: AtomicUsize,
}

impl Squares {
    pub fn new(count: usize) -> Self {
        Self {
            count,
            failing: None,
            panicking: None,
            runs: AtomicUsize::new(0),
        }
    }

    pub fn failing(count: usize, failing: usize, panicking: usize) -> Self {
        Self {
            failing: Some(failing),
            panicking: Some(panicking),
            ..Self::new(count)
        }
    }
}

impl Experiment for Squares {
    fn name(&self) -> &'static str {
        "squares"
    }

    fn scale(&self) -> Scale {
        Scale::Quick
    }

    fn settings(&self) -> String {
        format!("{} squares", self.count)
    }

    fn needs(&self) -> Result<Vec<Need>> {
        Ok(Vec::new())
    }

    fn parts(&self) -> Result<Vec<Part>> {
        let square = |of: usize| {
            Ok(Part {
                seed: of as u64,
                ..Part::new(&json!({ "square": of }), 20., 10)?
            })
        };
        let mut parts = (0..self.count).map(square).collect::<Result<Vec<_>>>()?;
        parts.push(Part {
            stage: 1,
            needs: (0..self.count).collect(),
            ..Part::new(&json!("sum"), 1., 10)?
        });
        Ok(parts)
    }

    fn run(&self, settings: &Value, given: &Given<'_>) -> Result<Output> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        match settings["square"].as_u64() {
            Some(of) if self.failing == Some(of as usize) => {
                Err(Error::argument("square", "another", of))
            }
            Some(of) if self.panicking == Some(of as usize) => panic!("no square of {of}"),
            // A third has no short decimal form.
            Some(of) => Output::of(&((of * of) as f64 / 3.))?.with_numbers("nan", &[f64::NAN]),
            None => {
                let squares = (0..given.len()).map(|at| given.output(at)?.read::<f64>());
                Output::of(&squares.sum::<Result<f64>>()?)
            }
        }
    }

    fn results(&self, finished: &Finished<'_>) -> Result<Vec<(String, Value)>> {
        let first = finished.output(&json!({ "square": 1 }))?;
        assert!(first.numbers("nan")?[0].is_nan());
        let sum: f64 = finished.output(&"sum")?.read()?;
        Ok(vec![("squares".into(), json!({ "sum": sum }))])
    }
}

/// Runs a plan in a folder, and gives the text of the results' file.
pub fn run_and_collect(
    experiment: &dyn Experiment,
    folder: &Path,
    workers: usize,
) -> Result<Vec<String>> {
    let plan = Plan::new(experiment, None)?;
    let store = Store::open(folder.join("tasks"), &plan)?;
    let runner = Runner::new(&plan, experiment, &store)?;
    let failed = run_here(&plan, &runner, workers, &Progress::Hidden)?;
    assert!(failed.is_empty(), "{failed:?}");
    let (files, provenance) = collect(&plan, experiment, &store, &folder.join("out"))?;
    assert_eq!(provenance.tasks, plan.tasks.len());
    let results = files
        .iter()
        .filter(|file| file.parent() == Some(&folder.join("out")));
    Ok(results
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect())
}

/// A value without the times in it.
pub fn without_times(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.retain(|name, _| name != "seconds");
            for (_, field) in fields {
                *field = without_times(field.take());
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = without_times(item.take());
            }
        }
        _ => {}
    }
    value
}
