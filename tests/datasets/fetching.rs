//! The downloader, on sources and files made here.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use isopath::datasets::{DataFile, Fetched, FileCallback, Set, Source, fetch_from, missing};
use isopath::{Error, Result};
use tempfile::tempdir;

use crate::common::data_file;

const A: &[u8] = b"the first file";
const B: &[u8] = b"the second";

fn files() -> [DataFile; 2] {
    [data_file("a", A), data_file("b", B)]
}

/// A source that delivers what it is given, then ends with `end`.
struct Shelf {
    name: &'static str,
    holds: Vec<(&'static str, &'static [u8])>,
    end: Option<&'static str>,
    asked: Cell<usize>,
    pause: Duration,
}

impl Shelf {
    fn new(name: &'static str, holds: &[(&'static str, &'static [u8])]) -> Self {
        Self {
            name,
            holds: holds.to_vec(),
            end: None,
            asked: Cell::new(0),
            pause: Duration::ZERO,
        }
    }
}

impl Source for Shelf {
    fn name(&self) -> String {
        self.name.into()
    }

    fn download(&self, scratch: &Path, on_file: FileCallback<'_>) -> Result<()> {
        self.asked.set(self.asked.get() + 1);
        fs::write(scratch.join("download"), b"half of it").unwrap();
        thread::sleep(self.pause);
        self.holds
            .iter()
            .try_for_each(|(name, bytes)| on_file(name, bytes))?;
        match self.end {
            Some(reason) => Err(Error::io(self.name)(std::io::Error::other(reason))),
            None => Ok(()),
        }
    }
}

fn fetch(folder: &Path, sources: &[&dyn Source]) -> (Result<Fetched>, Vec<String>) {
    let mut lines = Vec::new();
    let result = fetch_from("tiny", &files(), folder, sources, &mut |line| {
        lines.push(line.to_string())
    });
    (result, lines)
}

/// Everything in a folder but the lock.
fn listing(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with(".lock"))
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read(path).unwrap_or_default(),
            )
        })
        .collect()
}

fn both() -> BTreeMap<String, Vec<u8>> {
    [("a".to_string(), A.to_vec()), ("b".to_string(), B.to_vec())].into()
}

#[test]
fn complete_folder_asks_nobody_and_writes_nothing() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("a"), A).unwrap();
    fs::write(dir.path().join("b"), B).unwrap();
    let shelf = Shelf::new("shelf", &[]);
    let (fetched, lines) = fetch(dir.path(), &[&shelf]);
    assert_eq!(fetched.unwrap().added, []);
    assert_eq!((shelf.asked.get(), lines.len()), (0, 0));
    assert!(!dir.path().join(".lock").exists());
}

#[test]
fn sources_are_asked_in_order_and_only_while_something_is_missing() {
    let dir = tempdir().unwrap();
    let folder = dir.path().join("new/tiny");
    let (empty, half) = (
        Shelf::new("empty", &[]),
        Shelf::new("half", &[("a", A), ("unknown", b"?")]),
    );
    let (full, never) = (
        Shelf::new("full", &[("a", B), ("b", B)]),
        Shelf::new("never", &[]),
    );
    // "full" has other bytes for "a", which nobody wants any more once "half" brought it.
    let (fetched, lines) = fetch(&folder, &[&empty, &half, &full, &never]);
    let fetched = fetched.unwrap();
    assert_eq!(
        fetched.added,
        [("a", "half".to_string()), ("b", "full".to_string())]
    );
    assert_eq!(fetched.folder, folder);
    assert_eq!(never.asked.get(), 0);
    assert_eq!(listing(&folder), both());
    let asked: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("asking"))
        .collect();
    assert_eq!(
        asked,
        [
            "tiny: asking empty for 2 files, 1 MB",
            "tiny: asking half for 2 files, 1 MB",
            "tiny: asking full for 1 files, 1 MB"
        ]
    );
    assert!(
        lines.contains(&"tiny: empty: did not have every file".to_string()),
        "{lines:?}"
    );
}

#[test]
fn when_all_sources_fail_the_error_has_a_line_for_each_and_nothing_is_left() {
    let dir = tempdir().unwrap();
    let mut gone = Shelf::new("gone", &[]);
    gone.end = Some("no route\nand a backtrace");
    let wrong = Shelf::new("wrong", &[("a", b"other bytes!!!"), ("b", B)]);
    let (fetched, _) = fetch(dir.path(), &[&gone, &wrong]);
    let error = fetched.unwrap_err();
    let Error::Fetch {
        set: "tiny",
        ref attempts,
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0], "gone: gone: no route");
    assert!(
        attempts[1].starts_with("wrong: a: 14 bytes with SHA-256 ")
            && attempts[1].contains("; expected 14 bytes")
    );
    assert_eq!(error.to_string().lines().count(), 4);
    let folder = dir.path().display();
    let way_out = format!("\n  you can put its files, compressed or not, into {folder}");
    assert!(error.to_string().ends_with(&way_out), "{error}");
    assert_eq!(listing(dir.path()), BTreeMap::new());
}

#[test]
fn interrupted_source_keeps_the_whole_files_and_the_next_run_starts_from_there() {
    let dir = tempdir().unwrap();
    let mut broken = Shelf::new("broken", &[("a", A)]);
    broken.end = Some("connection lost");
    let (fetched, _) = fetch(dir.path(), &[&broken]);
    assert!(fetched.is_err());
    assert_eq!(listing(dir.path()), [("a".to_string(), A.to_vec())].into());
    let (fetched, _) = fetch(dir.path(), &[&Shelf::new("full", &[("a", A), ("b", B)])]);
    assert_eq!(fetched.unwrap().added, [("b", "full".to_string())]);
}

#[test]
fn corrupted_and_truncated_files_are_found_and_replaced() {
    let dir = tempdir().unwrap();
    let flipped: Vec<u8> = A
        .iter()
        .enumerate()
        .map(|(i, byte)| byte ^ u8::from(i == 3))
        .collect();
    fs::write(dir.path().join("a"), &flipped).unwrap();
    fs::write(dir.path().join("b"), &B[..4]).unwrap();
    assert_eq!(missing(&files(), dir.path()).unwrap().len(), 2);

    // Nobody has it: what was there stays.
    assert!(fetch(dir.path(), &[]).0.is_err());
    assert_eq!(listing(dir.path())["a"], flipped);

    let (fetched, lines) = fetch(dir.path(), &[&Shelf::new("full", &[("a", A), ("b", B)])]);
    assert_eq!(fetched.unwrap().added.len(), 2);
    assert_eq!(listing(dir.path()), both());
    assert!(lines[0].starts_with("tiny: a: SHA-256 "), "{lines:?}");
    assert_eq!(lines[1], "tiny: b: 4 bytes; expected 10");
}

#[test]
fn full_disk_is_refused_before_anything_is_fetched() {
    let dir = tempdir().unwrap();
    let huge = [DataFile {
        name: "a",
        bytes: u64::MAX,
        sha256: "",
    }];
    let shelf = Shelf::new("shelf", &[]);
    let error = fetch_from("tiny", &huge, dir.path(), &[&shelf], &mut |_| {})
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("MB free on the disk; expected at least 18446744073709 MB"),
        "{error}"
    );
    assert_eq!(shelf.asked.get(), 0);
    assert_eq!(listing(dir.path()), BTreeMap::new());
}

#[test]
fn folder_that_cannot_be_written_is_an_error_at_once() {
    let dir = tempdir().unwrap();
    // A folder stands where the file should go, so that the last step of writing fails.
    fs::create_dir_all(dir.path().join("tiny/a/x")).unwrap();
    let folder = dir.path().join("tiny");
    let next = Shelf::new("next", &[]);
    let file = [data_file("a", A)];
    let full = Shelf::new("full", &[("a", A)]);
    let error = fetch_from("tiny", &file, &folder, &[&full, &next], &mut |_| {}).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert_eq!(next.asked.get(), 0, "another source cannot help");
    assert_eq!(listing(&folder).into_keys().collect::<Vec<_>>(), ["a"]);

    // A file stands where the folder should go.
    fs::write(dir.path().join("file"), b"").unwrap();
    assert!(matches!(
        fetch(&dir.path().join("file"), &[]).0,
        Err(Error::Io { .. })
    ));
}

#[test]
fn two_at_once_fetch_once() {
    let dir = tempdir().unwrap();
    let run = |waits: bool| {
        let mut shelf = Shelf::new("full", &[("a", A), ("b", B)]);
        shelf.pause = Duration::from_millis(1500);
        if waits {
            while !dir.path().join(".lock").exists() {
                thread::sleep(Duration::from_millis(5));
            }
            thread::sleep(Duration::from_millis(300));
        }
        let (fetched, lines) = fetch(dir.path(), &[&shelf]);
        (fetched.unwrap().added.len(), lines)
    };
    let (first, second) = thread::scope(|scope| {
        let (first, second) = (scope.spawn(|| run(false)), scope.spawn(|| run(true)));
        (first.join().unwrap(), second.join().unwrap())
    });
    assert_eq!((first.0, second.0), (2, 0));
    assert!(
        second.1[0].contains("another process is fetching"),
        "{:?}",
        second.1
    );
    assert_eq!(listing(dir.path()), both());
}

const CHILD_FOLDER: &str = "ISOPATH_TEST_FETCH_FOLDER";

/// Not a test of its own: the process that `killed_process_leaves_neither_lock_nor_rubbish` kills.
#[test]
#[ignore = "started by another test"]
fn child_that_fetches_forever() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER) else {
        return;
    };
    let mut slow = Shelf::new("slow", &[]);
    slow.pause = Duration::from_secs(60);
    let _ = fetch(&PathBuf::from(folder), &[&slow]);
}

#[test]
fn killed_process_leaves_neither_lock_nor_rubbish() {
    let dir = tempdir().unwrap();
    let unfinished = || {
        listing(dir.path())
            .into_keys()
            .filter(|name| name.starts_with(isopath::io::files::UNFINISHED))
            .count()
    };
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "fetching::child_that_fetches_forever",
            "--ignored",
        ])
        .env(CHILD_FOLDER, dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while unfinished() == 0 && start.elapsed() < Duration::from_secs(30) {
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(unfinished(), 1, "the child is at work");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(unfinished(), 1, "and could not clean up");
    let (fetched, lines) = fetch(dir.path(), &[&Shelf::new("full", &[("a", A), ("b", B)])]);
    assert_eq!(fetched.unwrap().added.len(), 2);
    assert!(
        !lines.iter().any(|line| line.contains("waiting")),
        "{lines:?}"
    );
    assert_eq!(listing(dir.path()), both());
}

#[test]
fn sets_have_names_and_others_are_refused() {
    for set in Set::ALL {
        assert_eq!(set.name().parse::<Set>().unwrap(), set);
        assert!(set.files().iter().all(|file| file.sha256.len() == 64));
    }
    let error = "imagenet".parse::<Set>().unwrap_err().to_string();
    assert_eq!(
        error,
        "data set is \"imagenet\"; expected one of mnist, cifar10, fashion_mnist"
    );
}
