//! Slurm: the scripts of a plan's arrays, and their submission.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use isopath::experiments::tasks::Plan;
use isopath::io::files;

use super::{Failure, Opened, Result};
use crate::cli::command::{self, command};

/// What a job may use.
pub struct Limits {
    pub cpus: usize,
    /// In megabytes, instead of the plan's estimate.
    pub memory_mb: Option<u64>,
    /// Options for sbatch.
    pub options: Vec<String>,
}

/// An array of jobs of one stage.
struct Array {
    stage: usize,
    /// What is added to the array's indices.
    first: usize,
    /// The indices of its jobs, ascending.
    indices: Vec<usize>,
    seconds: f64,
    memory_mb: u64,
}

/// Indices of an array end below this if Slurm does not say another number.
const LARGEST: usize = 1001;

/// Writes the scripts, shows them and submits them; the jobs of a later stage, and the collection,
/// wait for all earlier ones to end.
///
/// # Errors
/// Slurm is not there or refuses, or the plan is in its queue.
pub fn submit(opened: &Opened, out: &Path, limits: &Limits, dry_run: bool) -> Result<()> {
    let Opened { plan, store, .. } = opened;
    let name = format!("isopath-{}", plan.name());
    let mut largest = LARGEST;
    if !dry_run {
        if command::find("sbatch").is_none() {
            return Err(Failure(
                "there is no sbatch here; run this on a machine of a Slurm cluster, with --dry-run to see \
                 the scripts, or with --engine local"
                    .into(),
            ));
        }
        refuse_twice(&name)?;
        largest = largest_array().unwrap_or(LARGEST);
    }
    let open = open_jobs(opened)?;
    let scripts = store.folder().join("slurm");
    let logs = store.folder().join("log");
    std::fs::create_dir_all(&logs).map_err(isopath::Error::io(&logs))?;
    let mut earlier: Vec<String> = Vec::new();
    let (mut stage, mut own) = (0, Vec::new());
    for array in arrays(plan, &open, largest) {
        if array.stage > stage && !own.is_empty() {
            earlier = std::mem::take(&mut own);
        }
        stage = array.stage;
        let file = scripts.join(format!("stage{}_{}.sh", array.stage, array.first));
        let text = array_script(opened, &name, &array, (limits, &logs))?;
        own.push(hand_over(&file, &text, (&earlier, limits), dry_run)?);
    }
    earlier.extend(own);
    let text = collect_script(opened, &name, out, &logs)?;
    hand_over(
        &scripts.join("collect.sh"),
        &text,
        (&earlier, limits),
        dry_run,
    )?;
    if !dry_run {
        println!(
            "submit   {} jobs; `isopath status` tells how far they are",
            open.len()
        );
    }
    Ok(())
}

/// The jobs with a task that is not finished.
fn open_jobs(opened: &Opened) -> Result<Vec<usize>> {
    let mut jobs = Vec::new();
    for task in &opened.plan.tasks {
        if jobs.last() != Some(&task.job) && !matches!(opened.store.record(task.task), Ok(Some(_)))
        {
            jobs.push(task.job);
        }
    }
    Ok(jobs)
}

/// The arrays of jobs, by stage and as long as Slurm allows.
fn arrays(plan: &Plan, jobs: &[usize], largest: usize) -> Vec<Array> {
    let mut all: BTreeMap<(usize, usize), Array> = BTreeMap::new();
    for job in jobs {
        let tasks = plan.job(*job).unwrap_or_default();
        let Some(stage) = tasks.first().map(|task| task.stage) else {
            continue;
        };
        let first = job / largest * largest;
        let array = all.entry((stage, first)).or_insert(Array {
            stage,
            first,
            indices: Vec::new(),
            seconds: 0.,
            memory_mb: 0,
        });
        array.indices.push(job - first);
        let seconds = tasks.iter().map(|task| task.seconds).sum();
        array.seconds = array.seconds.max(seconds);
        let memory = tasks.iter().map(|task| task.memory_mb).max();
        array.memory_mb = array.memory_mb.max(memory.unwrap_or(0));
    }
    all.into_values().collect()
}

/// Ascending numbers as `0-3,7`.
fn ranges(indices: &[usize]) -> String {
    let mut text = String::new();
    for run in indices.chunk_by(|a, b| a + 1 == *b) {
        let comma = if text.is_empty() { "" } else { "," };
        // A `String` takes every text.
        let _ = match run {
            [one] => write!(text, "{comma}{one}"),
            _ => write!(text, "{comma}{}-{}", run[0], run[run.len() - 1]),
        };
    }
    text
}

/// Three times the estimate and two minutes, in minutes, at least five.
fn minutes(seconds: f64) -> u64 {
    ((3. * seconds + 120.) / 60.).ceil().max(5.) as u64
}

/// What the `.cargo/config.toml` of this project sets for `cargo run`.
const ENVIRONMENT: &str = "\
export CANDLE_NUM_THREADS=1 RAYON_NUM_THREADS=\"${SLURM_CPUS_PER_TASK:-1}\"
export MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=1073741824 MALLOC_TOP_PAD_=67108864
export GLIBC_TUNABLES=glibc.malloc.hugetlb=1
";

fn array_script(
    opened: &Opened,
    name: &str,
    array: &Array,
    (limits, logs): (&Limits, &Path),
) -> Result<String> {
    let memory = limits.memory_mb.unwrap_or(array.memory_mb * 3 / 2);
    let mut text = head(name, minutes(array.seconds), &logs.join("%A_%a.txt"));
    let _ = writeln!(text, "#SBATCH --array={}", ranges(&array.indices));
    let _ = writeln!(text, "#SBATCH --cpus-per-task={}", limits.cpus);
    let _ = writeln!(text, "#SBATCH --mem={memory}M");
    text.push_str(ENVIRONMENT);
    let call = call(opened, "task")?;
    let _ = writeln!(text, "exec {call} --first {}", array.first);
    Ok(text)
}

fn collect_script(opened: &Opened, name: &str, out: &Path, logs: &Path) -> Result<String> {
    let mut text = head(name, 60, &logs.join("collect_%j.txt"));
    let _ = writeln!(text, "#SBATCH --mem=2000M");
    let out = quoted(&out.to_string_lossy());
    let _ = writeln!(text, "exec {} --out {out}", call(opened, "collect")?);
    Ok(text)
}

fn head(name: &str, minutes: u64, log: &Path) -> String {
    format!(
        "#!/bin/sh\n#SBATCH --job-name={name}\n#SBATCH --time={minutes}\n#SBATCH --requeue\n\
         #SBATCH --open-mode=append\n#SBATCH --output={}\n",
        log.display()
    )
}

/// The command line of this program with a verb, the plan and its folder.
fn call(opened: &Opened, verb: &str) -> Result<String> {
    let binary = std::env::current_exe()
        .map_err(|error| Failure(format!("the path of this binary cannot be read: {error}")))?;
    let [binary, plan, folder] = [&binary, &opened.file, opened.store.folder()]
        .map(|path: &Path| quoted(&path.to_string_lossy()));
    Ok(format!("{binary} {verb} {plan} --results {folder}"))
}

/// As a shell reads it as one word.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Writes a script and shows it; submits it, and gives the number of its job.
fn hand_over(
    file: &Path,
    text: &str,
    (earlier, limits): (&[String], &Limits),
    dry_run: bool,
) -> Result<String> {
    files::write_whole(file, text.as_bytes())?;
    println!("submit   {}", file.display());
    print!("{text}");
    if dry_run {
        return Ok("DRY".into());
    }
    let mut sbatch = command("sbatch");
    sbatch.arg("--parsable");
    if !earlier.is_empty() {
        sbatch.arg(format!("--dependency=afterany:{}", earlier.join(":")));
    }
    let answer = command::output(sbatch.args(&limits.options).arg(file))?;
    // The number, and the cluster's name where there are several.
    let job = answer
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned();
    println!("submit   as job {job}");
    Ok(job)
}

/// # Errors
/// Jobs of that name are in the queue.
fn refuse_twice(name: &str) -> Result<()> {
    let mut squeue = command("squeue");
    squeue.args(["--noheader", "--format=%i", "--name", name]);
    let there = command::output(&mut squeue)?;
    match there.lines().next() {
        None => Ok(()),
        Some(job) => Err(Failure(format!(
            "the plan is in Slurm's queue already, as job {job}; wait for it, or `scancel --name={name}`"
        ))),
    }
}

/// The number that the indices of an array must stay below.
fn largest_array() -> Option<usize> {
    let config = command::output(command("scontrol").args(["show", "config"])).ok()?;
    let line = config
        .lines()
        .find(|line| line.starts_with("MaxArraySize"))?;
    line.split_once('=')?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use isopath::experiments::tasks::Trial;
    use isopath::scale::Scale;

    #[test]
    fn runs_of_indices_are_ranges() {
        assert_eq!(ranges(&[0, 1, 2, 3, 7]), "0-3,7");
        assert_eq!(ranges(&[5]), "5");
        assert_eq!(ranges(&[1, 3, 4]), "1,3-4");
    }

    #[test]
    fn arrays_are_of_one_stage_and_not_too_long() {
        let plan = Plan::new(
            &Trial {
                scale: Scale::Quick,
            },
            None,
        )
        .unwrap();
        let jobs: Vec<usize> = (0..plan.header.jobs).filter(|job| *job != 3).collect();
        let arrays = arrays(&plan, &jobs, 8);
        let seen: Vec<_> = arrays
            .iter()
            .map(|array| (array.stage, array.first, ranges(&array.indices)))
            .collect();
        assert_eq!(
            seen,
            [
                (0, 0, "0-2,4-7".to_owned()),
                (0, 8, "0-7".to_owned()),
                (0, 16, "0-3".to_owned()),
                (1, 16, "4".to_owned()),
            ]
        );
    }

    #[test]
    fn words_and_times() {
        assert_eq!(quoted("a b'c"), r"'a b'\''c'");
        assert_eq!((minutes(1.), minutes(3_600.)), (5, 182));
    }
}
