//! The folder of a plan's results, which all machines see.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::experiment::Outputs;
use super::machine::{Machine, is_alive};
use super::output::Output;
use super::plan::Plan;
use super::record::{Failure, Record};
use crate::error::{Error, Result};
use crate::io::files;

/// How many tasks share a folder.
const TOGETHER: usize = 1000;
/// How often a running task says that it is alive.
const BEAT: Duration = Duration::from_secs(10);
/// After so long without a word, a task is taken for dead.
const SILENCE: Duration = Duration::from_secs(60);

/// The folder of a plan's results: a file for each finished task, one for each that failed, and a
/// mark beside each that runs.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    digest: String,
    tasks: usize,
}

/// What lies in the folder of one task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Traces {
    /// Whether a result is there, whole or not.
    pub result: bool,
    pub failure: bool,
    /// The names of the marks of its processes.
    pub marks: Vec<String>,
}

impl Store {
    /// Opens the folder of a plan's results; makes it if need be.
    ///
    /// # Errors
    /// It holds the results of another plan, or cannot be made.
    pub fn open(folder: impl Into<PathBuf>, plan: &Plan) -> Result<Self> {
        let store = Self {
            folder: folder.into(),
            digest: plan.header.digest.clone(),
            tasks: plan.tasks.len(),
        };
        let file = store.folder.join("plan.json");
        match fs::read_to_string(&file) {
            Ok(text) => {
                let other = serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default();
                if other["digest"] != json!(plan.header.digest) {
                    let expected = format!(
                        "results of the plan {}; name another folder with --results",
                        plan.name()
                    );
                    let name = other["digest"].as_str().and_then(|all| all.get(..16));
                    let got = format!("results of another plan, {}", name.unwrap_or("unknown"));
                    return Err(Error::file(&store.folder, expected, got));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                files::write_whole(&file, format!("{}\n", json!(plan.header)).as_bytes())?;
            }
            Err(error) => return Err(Error::io(file)(error)),
        }
        Ok(store)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file of a task.
    fn file(&self, task: usize, end: &str) -> PathBuf {
        let folder = self.folder.join(format!("{:03}", task / TOGETHER));
        folder.join(format!("{task:06}.{end}"))
    }

    /// The file of a finished task.
    pub fn result(&self, task: usize) -> PathBuf {
        self.file(task, RESULT)
    }

    /// The file from which a task that was stopped goes on.
    pub(super) fn checkpoint(&self, task: usize) -> PathBuf {
        self.file(task, "run.safetensors")
    }

    /// The record of a finished task, its result not looked at; none if it is not finished.
    ///
    /// # Errors
    /// The file is not whole, or of another plan.
    pub fn record(&self, task: usize) -> Result<Option<Record>> {
        let path = self.result(task);
        match path.exists() {
            true => self.checked(task, Record::open(&path)?.0).map(Some),
            false => Ok(None),
        }
    }

    /// The record of a finished task and its whole result, as bytes.
    pub(super) fn whole(&self, task: usize) -> Result<Option<(Record, Vec<u8>)>> {
        let path = self.result(task);
        if !path.exists() {
            return Ok(None);
        }
        let (record, mut file) = Record::open(&path)?;
        let record = self.checked(task, record)?;
        let payload = record.payload(&path, &mut file)?;
        Ok(Some((record, payload)))
    }

    fn checked(&self, task: usize, record: Record) -> Result<Record> {
        if record.plan == self.digest && record.task == task {
            return Ok(record);
        }
        let got = format!(
            "task {} of the plan with digest {}",
            record.task, record.plan
        );
        let expected = format!("task {task} of the plan with digest {}", self.digest);
        Err(Error::file(self.result(task), expected, got))
    }

    /// Writes the result of a task, unless it is there already.
    pub(super) fn write(&self, record: &mut Record, output: &Output) -> Result<()> {
        let path = self.result(record.task);
        // Another process may have been quicker: both have the same result.
        if !matches!(self.whole(record.task), Ok(Some(_))) {
            files::write_whole(&path, &record.file(&path, output)?)?;
        }
        for leftover in [
            self.file(record.task, FAILURE),
            self.checkpoint(record.task),
        ] {
            let _ = fs::remove_file(leftover);
        }
        Ok(())
    }

    pub(super) fn write_failure(&self, task: usize, error: &Error) -> Result<()> {
        let failure = Failure {
            task,
            error: error.to_string(),
            machine: Machine::here(),
            ended: super::machine::now(),
        };
        let text = format!("{}\n", json!(failure));
        files::write_whole(&self.file(task, FAILURE), text.as_bytes())
    }

    /// Why a task failed, if its last process said so.
    pub fn failure(&self, task: usize) -> Option<Failure> {
        let text = fs::read_to_string(self.file(task, FAILURE)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Marks a task as running, as long as the mark lives. Marks of dead processes are removed.
    pub(super) fn mark(&self, task: usize) -> Result<Mark> {
        // Threads of one process may run the same task.
        static MARKS: AtomicUsize = AtomicUsize::new(0);
        let number = MARKS.fetch_add(1, Ordering::Relaxed);
        let (host, process) = (Machine::here().host, std::process::id());
        let name = format!("{RUNNING}{host}.{process}-{number}");
        let path = self.file(task, &name);
        files::write_whole(&path, b"")?;
        let traces = self.traces_in(task / TOGETHER)?.remove(&task);
        for other in traces.unwrap_or_default().marks {
            if !self.is_running(task, &other) {
                let _ = fs::remove_file(self.file(task, &other));
            }
        }
        Mark::new(path)
    }

    /// Whether the process of a mark is alive, as far as one can see.
    pub(super) fn is_running(&self, task: usize, mark: &str) -> bool {
        let place = mark
            .strip_prefix(RUNNING)
            .and_then(|rest| rest.rsplit_once('.'));
        if let Some((host, process)) = place
            && host == Machine::here().host
            && let Some((process, _)) = process.split_once('-')
            && let Ok(process) = process.parse()
            && !is_alive(process)
        {
            return false;
        }
        let changed = fs::metadata(self.file(task, mark)).and_then(|found| found.modified());
        // A time in the future is that of another clock.
        changed.is_ok_and(|changed| {
            let silent = SystemTime::now().duration_since(changed);
            silent.unwrap_or_default() < SILENCE
        })
    }

    /// What lies there of every task that left something.
    pub(super) fn traces(&self) -> Result<BTreeMap<usize, Traces>> {
        let mut all = BTreeMap::new();
        for part in 0..self.tasks.div_ceil(TOGETHER) {
            all.extend(self.traces_in(part)?);
        }
        Ok(all)
    }

    fn traces_in(&self, part: usize) -> Result<BTreeMap<usize, Traces>> {
        let folder = self.folder.join(format!("{part:03}"));
        let mut all: BTreeMap<usize, Traces> = BTreeMap::new();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(all),
            Err(error) => return Err(Error::io(folder)(error)),
        };
        for entry in entries {
            let name = entry.map_err(Error::io(&folder))?.file_name();
            let name = name.to_string_lossy();
            let Some((task, end)) = name.split_once('.') else {
                continue;
            };
            let Ok(task) = task.parse() else { continue };
            let traces = all.entry(task).or_default();
            match end {
                RESULT => traces.result = true,
                FAILURE => traces.failure = true,
                mark if mark.starts_with(RUNNING) => traces.marks.push(mark.to_owned()),
                _ => {}
            }
        }
        Ok(all)
    }
}

/// The ends of the names of files.
const RESULT: &str = "task";
const FAILURE: &str = "failed.json";
const RUNNING: &str = "running.";

impl Outputs for Store {
    fn output(&self, task: usize) -> Result<Output> {
        match self.whole(task)? {
            Some((_, bytes)) => Output::from_bytes(&self.result(task), &bytes),
            None => {
                let expected = format!("the result of task {task}, which comes first");
                Err(Error::file(self.result(task), expected, "missing"))
            }
        }
    }
}

/// Says that a task runs: a file whose time a thread renews.
#[derive(Debug)]
pub(super) struct Mark {
    path: PathBuf,
    /// Dropped to end the thread.
    _end: mpsc::Sender<()>,
}

impl Mark {
    fn new(path: PathBuf) -> Result<Self> {
        let (end, ended) = mpsc::channel::<()>();
        let file = File::options()
            .write(true)
            .open(&path)
            .map_err(Error::io(&path))?;
        let beat = move || {
            while ended.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                // Without it, the task is only taken for dead.
                let _ = file.set_modified(SystemTime::now());
            }
        };
        thread::Builder::new()
            .spawn(beat)
            .map_err(Error::io(&path))?;
        Ok(Self { path, _end: end })
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
