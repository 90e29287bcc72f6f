//! Archives of a release that a person put into the set's folder.

use std::fs;
use std::path::Path;

use isopath::datasets::{self, DataFile, Fetched, Set, fetch_from, missing};
use isopath::{Error, Result};
use tempfile::tempdir;

use crate::common::{TRAIN_IMAGES, data_file, gzipped, tarball, tiny_mnist};

const A: &[u8] = b"the first file";
const B: &[u8] = b"the second";

fn files() -> [DataFile; 2] {
    [data_file("a", A), data_file("b", B)]
}

/// Fetches without any source; the lines that are reported, or of the error.
fn unpack(folder: &Path) -> (Result<Fetched>, Vec<String>) {
    let mut lines = Vec::new();
    let fetched = fetch_from("tiny", &files(), folder, &[], &mut |line| {
        lines.push(line.into())
    });
    (fetched, lines)
}

#[test]
fn gz_files_are_unpacked_and_verified_without_a_source() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("a.gz"), gzipped(A)).unwrap();
    fs::write(dir.path().join("b"), B).unwrap();
    assert_eq!(missing(&files(), dir.path()).unwrap(), []);
    assert!(
        !dir.path().join("a").exists(),
        "asking what is missing writes nothing"
    );
    let (fetched, lines) = unpack(dir.path());
    assert_eq!(
        fetched.unwrap().added,
        [("a", "a.gz in its folder".to_string())]
    );
    assert_eq!(fs::read(dir.path().join("a")).unwrap(), A);
    assert!(
        lines.contains(&"tiny: a: 14 bytes, SHA-256 right".to_string()),
        "{lines:?}"
    );
}

#[test]
fn a_tar_archive_is_unpacked_whatever_its_folders() {
    for paths in [["deep/er/a", "./b"], ["a", "b"]] {
        let dir = tempdir().unwrap();
        let [a, b] = paths.map(String::from);
        let entries = [
            ("readme".into(), b"no".to_vec()),
            (a, A.to_vec()),
            (b, B.to_vec()),
        ];
        fs::write(dir.path().join("release.tar.gz"), tarball(&entries)).unwrap();
        assert_eq!(missing(&files(), dir.path()).unwrap(), []);
        let (fetched, _) = unpack(dir.path());
        assert_eq!(fetched.unwrap().added.len(), 2);
        assert_eq!(fs::read(dir.path().join("b")).unwrap(), B);
        assert!(!dir.path().join("readme").exists());
    }
}

#[test]
fn damaged_foreign_and_endless_archives_are_refused_with_a_line() {
    let whole = gzipped(A);
    for (name, bytes, expected) in [
        ("a.gz", gzipped(B), "a: 10 bytes with SHA-256 "),
        (
            "a.gz",
            whole[..whole.len() - 9].to_vec(),
            "expected a whole gzip file",
        ),
        ("a.gz", A.to_vec(), "expected a whole gzip file"),
        // A longer file is read no further than needed to see that it is one.
        (
            "a.gz",
            gzipped(&vec![0; 10_000_000]),
            "a: 15 bytes with SHA-256 ",
        ),
        (
            "x.tar.gz",
            whole.clone(),
            "expected a whole tar archive in gzip",
        ),
        (
            "x.tgz",
            tarball(&[("a".into(), B.to_vec())]),
            "a: 10 bytes with SHA-256 ",
        ),
    ] {
        let dir = tempdir().unwrap();
        fs::write(dir.path().join(name), bytes).unwrap();
        assert_eq!(missing(&files(), dir.path()).unwrap().len(), 2);
        let (fetched, _) = unpack(dir.path());
        let Err(Error::Fetch { attempts, .. }) = fetched else {
            panic!("{name}: {fetched:?}")
        };
        assert_eq!(attempts.len(), 1);
        assert!(attempts[0].contains(expected), "{}", attempts[0]);
        assert!(attempts[0].contains(name), "{}", attempts[0]);
        assert!(!dir.path().join("a").exists());
    }
}

#[test]
fn other_archives_are_left_alone() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("notes.gz"), b"no archive at all").unwrap();
    let (fetched, lines) = unpack(dir.path());
    assert!(fetched.is_err());
    assert!(
        !lines.iter().any(|line| line.contains("notes")),
        "{lines:?}"
    );
}

#[test]
fn loading_a_set_unpacks_what_lies_there_and_does_not_take_it_unverified() {
    let root = tiny_mnist();
    let folder = root.path().join("mnist");
    let images = fs::read(folder.join(TRAIN_IMAGES)).unwrap();
    fs::remove_file(folder.join(TRAIN_IMAGES)).unwrap();
    fs::write(folder.join(format!("{TRAIN_IMAGES}.gz")), gzipped(&images)).unwrap();
    let error = datasets::load(Set::Mnist, root.path())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("train-images-idx3-ubyte: 2368 bytes with SHA-256 "),
        "{error}"
    );
}

#[test]
#[ignore = "reads the real MNIST, if it is in the data folder"]
fn the_real_release_is_read_from_its_gz_files() -> Result<()> {
    let (from, root) = (Set::Mnist.folder(&datasets::root()), tempdir().unwrap());
    let folder = Set::Mnist.folder(root.path());
    fs::create_dir(&folder).unwrap();
    for file in Set::Mnist.files() {
        let bytes = fs::read(from.join(file.name)).map_err(Error::io(file.name))?;
        fs::write(folder.join(format!("{}.gz", file.name)), gzipped(&bytes)).unwrap();
    }
    assert_eq!(missing(Set::Mnist.files(), &folder)?, []);
    let digits = datasets::load(Set::Mnist, root.path())?;
    assert_eq!((digits.train.len(), digits.test.len()), (60_000, 10_000));
    Ok(())
}
