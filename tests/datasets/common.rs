//! Small data that several files of tests use.

use std::fs;
use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use isopath::datasets::DataFile;
use isopath::rng::Rng;
use sha2::{Digest, Sha256};
use tempfile::{TempDir, tempdir};

/// A file of a set that holds these bytes.
pub fn data_file(name: &'static str, bytes: &[u8]) -> DataFile {
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

/// Bytes in which every position differs from its neighbours.
pub fn noise(n: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    (0..n).map(|_| rng.bits() as u8).collect()
}

pub fn idx(header: &[u32], data: &[u8]) -> Vec<u8> {
    let header: Vec<u8> = header
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect();
    [&header, data].concat()
}

pub const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
pub const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";

/// A root with an MNIST of three training images and two test images.
pub fn tiny_mnist() -> TempDir {
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

/// A tar archive in gzip of paths and their bytes.
pub fn tarball(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
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

pub fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
