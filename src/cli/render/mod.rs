//! `isopath render`: executes notebooks and writes their web pages.
//!
//! Each notebook is executed by a Python process of its own (`execute.py`), so that a broken one
//! does not stop the others; each page is written by another one (`page/page.py`). Every file in
//! `site_dir` is written whole or not at all.

mod assets;
mod events;
mod notebooks;
mod run;
mod site;
mod tell;
pub mod verb;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use isopath::error::{Error, Result};
use isopath::scale::Scale;

use assets::Assets;
use notebooks::Notebook;

/// The options of a rendering: what to render, and with what.
pub struct Options {
    /// The notebooks, as names in `notebooks_dir` or as paths; none means all of `notebooks_dir`.
    pub notebooks: Vec<PathBuf>,
    /// The scale that the notebooks run at.
    pub scale: Scale,
    /// How many notebooks run at once, at least 1.
    pub jobs: usize,
    /// The Python of the Jupyter environment.
    pub python: PathBuf,
    /// The name of the kernelspec for a notebook that names none.
    pub kernel: String,
    /// The folder with the notebooks.
    pub notebooks_dir: PathBuf,
    /// The folder to write the pages to.
    pub site_dir: PathBuf,
    /// The longest time that one cell may take.
    pub cell_timeout: Duration,
}

/// The result of a rendering: the pages that were written, and the notebooks that failed.
pub struct Report {
    /// The pages that were written, without the index.
    pub pages: Vec<PathBuf>,
    /// The list of all pages.
    pub index: PathBuf,
    /// The notebooks without a page, in the order they were asked for.
    pub failures: Vec<Failure>,
}

/// A notebook that has no page now.
pub struct Failure {
    /// The name of the notebook.
    pub notebook: String,
    /// The reason why it has no page, in one line.
    pub reason: String,
}

/// The longest time that a cell may take where nobody says: long enough for the slowest training,
/// short enough for a check.
pub fn default_cell_timeout(scale: Scale) -> Duration {
    Duration::from_secs(60 * scale.pick(10, 30, 24 * 60))
}

/// Checks the options for what [`render`] would refuse at once; worth it before a long set-up.
/// Returns the notebooks that are meant.
///
/// # Errors
/// An unknown notebook, two of one name, a site in the folder of a notebook, 0 jobs, a time-out of
/// 0.
pub fn check(options: &Options) -> Result<Vec<Notebook>> {
    if options.jobs == 0 {
        return Err(Error::argument("jobs", "at least 1", 0));
    }
    if options.cell_timeout.is_zero() {
        return Err(Error::argument("cell-timeout", "more than 0 seconds", 0));
    }
    let notebooks = notebooks::find(&options.notebooks, &options.notebooks_dir)?;
    for notebook in &notebooks {
        let executed = options.site_dir.join(format!("{}.ipynb", notebook.name));
        if is_same(&executed, &notebook.path) {
            let expected = "another folder than the notebook's, since the executed copy would replace the notebook";
            return Err(Error::argument(
                "site",
                expected,
                options.site_dir.display(),
            ));
        }
    }
    Ok(notebooks)
}

/// Whether both are there, and one file.
fn is_same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// Executes the notebooks, writes their pages and the index, and tells on standard output how each
/// cell went.
///
/// A broken notebook does not stop the others: it is a [`Failure`] of the report, its page of an
/// earlier run is removed, and what it computed is kept as `NAME.failed.ipynb`.
///
/// # Errors
/// What [`check`] refuses, a Python that lacks a package, a folder that cannot be written.
pub fn render(options: &Options) -> Result<Report> {
    let notebooks = check(options)?;
    let assets = Assets::unpack()?;
    check_python(options)?;
    std::fs::create_dir_all(&options.site_dir).map_err(Error::io(&options.site_dir))?;

    let started = Instant::now();
    let outcomes = in_parallel(&notebooks, options.jobs, |notebook| {
        one(notebook, options, &assets)
    });
    let mut report = Report {
        pages: vec![],
        index: options.site_dir.join("index.html"),
        failures: vec![],
    };
    for (notebook, outcome) in notebooks.iter().zip(outcomes) {
        match outcome {
            Ok(page) => report.pages.push(page),
            Err(reason) => report.failures.push(Failure {
                notebook: notebook.name.clone(),
                reason,
            }),
        }
    }
    site::write_index(options, &assets, &report.failures)?;
    tell::summary(&report, started.elapsed());
    Ok(report)
}

/// Executes one notebook and writes its page; otherwise the reason, and no page.
fn one(notebook: &Notebook, options: &Options, assets: &Assets) -> Result<PathBuf, String> {
    let executed = site::failed_path(notebook, options);
    let page = page_of(notebook, &executed, options, assets);
    page.inspect_err(|_| {
        if executed.exists() {
            tell::line(
                &notebook.name,
                &format!(
                    "no page is written; the notebook as far as it ran is {}",
                    executed.display()
                ),
            );
        }
    })
    .map_err(|reason| match site::remove_page(&notebook.name, options) {
        Ok(()) => reason,
        Err(error) => {
            format!("{reason} (and the page of an earlier run cannot be removed: {error})")
        }
    })
}

/// Executes one notebook to `executed` and writes its page.
fn page_of(
    notebook: &Notebook,
    executed: &Path,
    options: &Options,
    assets: &Assets,
) -> Result<PathBuf, String> {
    let tell_reason = |reason: &String| tell::line(&notebook.name, reason);
    // What an earlier run left must not pass for this run's.
    site::remove(executed)
        .map_err(|error| error.to_string())
        .inspect_err(tell_reason)?;
    let known = site::check_words(notebook, options, assets).inspect_err(tell_reason)?;
    known
        .iter()
        .for_each(|warning| tell::warning(&notebook.name, warning));
    run::execute(notebook, executed, options, assets)?;
    let (page, warnings) =
        site::write_page(notebook, executed, options, assets).inspect_err(tell_reason)?;
    warnings
        .iter()
        .filter(|warning| !known.contains(warning))
        .for_each(|warning| tell::warning(&notebook.name, warning));
    tell::line(&notebook.name, &format!("page: {}", page.display()));
    Ok(page)
}

/// `work` on every item, `jobs` at a time; the results in the items' order.
fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    jobs: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(items.len()) {
            scope.spawn(|| {
                while let Some((index, item)) = items
                    .iter()
                    .enumerate()
                    .nth(next.fetch_add(1, Ordering::Relaxed))
                {
                    let result = work(item);
                    results
                        .lock()
                        .unwrap_or_else(|poisoned| poisoned.into_inner())
                        .push((index, result));
                }
            });
        }
    });
    let mut results = results
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// One clear line now instead of a traceback for every notebook.
fn check_python(options: &Options) -> Result<()> {
    const PACKAGES: &str = "nbclient, nbformat, nbconvert, math_core";
    let output = Command::new(&options.python)
        .args(["-c", &format!("import {PACKAGES}")])
        .output()
        .map_err(Error::io(&options.python))?;
    if output.status.success() {
        return Ok(());
    }
    let got = run::last_line(&output.stderr);
    Err(Error::file(
        &options.python,
        format!("a Python with {PACKAGES}"),
        got,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_their_items() {
        for jobs in [1, 2, 7, 100] {
            let items: Vec<u64> = (0..20).collect();
            let squares = in_parallel(&items, jobs, |&item| {
                std::thread::sleep(Duration::from_millis(20 - item));
                item * item
            });
            assert_eq!(
                squares,
                items.iter().map(|item| item * item).collect::<Vec<_>>()
            );
        }
        assert!(in_parallel(&[], 3, |_: &u8| 0).is_empty());
    }
}
