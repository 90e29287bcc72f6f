//! Idx files, the format of MNIST: a header of big-endian u32 (a magic number whose last byte is the
//! number of dimensions, then the sizes), then the bytes. LeCun, Cortes & Burges, *The MNIST
//! database of handwritten digits* (1998).

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use candle_datasets::vision;
use flate2::read::GzDecoder;

use super::dataset::Dataset;
use super::fetch::Files;
use super::pixels::{bytes_of, scaled};
use crate::device;
use crate::error::{Error, Result};

/// The magic number of bytes, but for the number of dimensions.
const BYTES: u32 = 0x0800;
/// What a gzip file begins with; an idx file begins with two zeros.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Images and labels of the training and of the test set, in every set that is laid out as MNIST.
pub(super) const NAMES: [[&str; 2]; 2] = [
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"],
    ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"],
];

impl Dataset {
    /// Reads the images and labels of two idx files, packed by gzip or not.
    ///
    /// Images: (N, …) in the file's own sizes, as (60000, 28, 28), of bytes k, read as k/255: f32
    /// in \[0, 1\] on [`device::best`]. Labels: (N,) of bytes. [`reshaped`](Self::reshaped) turns the
    /// images into another network's inputs.
    ///
    /// ```no_run
    /// use isopath::datasets::Dataset;
    ///
    /// let letters = Dataset::from_idx("letters-images.gz", "letters-labels.gz")?.reshaped(&[784])?;
    /// # Ok::<(), isopath::Error>(())
    /// ```
    ///
    /// # Errors
    /// A file cannot be read, is no idx file of bytes, has more or fewer bytes than its header
    /// says, or the files differ in number.
    pub fn from_idx(images: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<Self> {
        let (images, labels) = (Idx::read(images.as_ref())?, Idx::read(labels.as_ref())?);
        check_counts(&images, &labels)?;
        Self::new(
            scaled(&images.bytes, &images.sizes)?,
            Tensor::new(labels.bytes, &Device::Cpu)?,
        )?
        .to_device(&device::best())
    }
}

/// The pixels and the labels of a set's half: a file of images of `image` (channels, height, width)
/// and a file of labels below `classes`.
pub(super) fn read(
    paths: &[PathBuf],
    image: [usize; 3],
    classes: usize,
) -> Result<(Vec<u8>, Vec<u8>)> {
    let [images, labels] = paths else {
        return Err(Error::argument(
            "idx files",
            "one of images, one of labels",
            paths.len(),
        ));
    };
    let (images, labels) = (Idx::read(images)?, Idx::read(labels)?);
    let [_, height, width] = image;
    if images.sizes[1..] != [height, width] {
        let expected = format!("images of {height}×{width}");
        return Err(Error::file(images.path, expected, product(&images.sizes)));
    }
    check_counts(&images, &labels)?;
    match labels
        .bytes
        .iter()
        .position(|label| usize::from(*label) >= classes)
    {
        Some(index) => Err(Error::file(
            labels.path,
            format!("labels from 0 to {}", classes - 1),
            format!("label {} of image {index}", labels.bytes[index]),
        )),
        None => Ok((images.bytes, labels.bytes)),
    }
}

fn check_counts(images: &Idx, labels: &Idx) -> Result<()> {
    if images.sizes.len() < 2 || images.bytes.is_empty() {
        let expected = "one image or more, of one dimension or more";
        return Err(Error::file(&images.path, expected, product(&images.sizes)));
    }
    if labels.sizes != images.sizes[..1] {
        let expected = format!("{} labels, one an image", images.sizes[0]);
        return Err(Error::file(&labels.path, expected, product(&labels.sizes)));
    }
    Ok(())
}

fn product(sizes: &[usize]) -> String {
    let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
    format!("{} bytes", sizes.join("×"))
}

/// An idx file of bytes.
struct Idx {
    path: PathBuf,
    /// At least one.
    sizes: Vec<usize>,
    /// As many as the product of the sizes.
    bytes: Vec<u8>,
}

impl Idx {
    fn read(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io(path))?;
        let mut start = Vec::new();
        (&mut file)
            .take(2)
            .read_to_end(&mut start)
            .map_err(Error::io(path))?;
        file.seek(SeekFrom::Start(0)).map_err(Error::io(path))?;
        let file = BufReader::new(file);
        if start == GZIP {
            Self::parse(path, GzDecoder::new(file))
        } else {
            Self::parse(path, file)
        }
    }

    fn parse(path: &Path, mut from: impl Read) -> Result<Self> {
        let broken = |error: io::Error| Error::file(path, "a whole idx file", error);
        // At most so many bytes, and only as many as there are: a header may claim anything.
        let mut bytes = |limit: u64| -> Result<Vec<u8>> {
            let mut bytes = Vec::new();
            (&mut from)
                .take(limit)
                .read_to_end(&mut bytes)
                .map_err(broken)?;
            Ok(bytes)
        };
        let short = |header: &[u8], expected: usize| {
            let got = format!("{} bytes", header.len());
            Error::file(path, format!("a header of {expected} bytes"), got)
        };
        let magic = bytes(4)?;
        let [0, 0, _, _] = magic[..] else {
            let Ok(number) = <[u8; 4]>::try_from(&magic[..]) else {
                return Err(short(&magic, 4));
            };
            return Err(wrong_magic(path, u32::from_be_bytes(number)));
        };
        let number = u32::from(magic[2]) << 8 | u32::from(magic[3]);
        let dimensions = usize::from(magic[3]);
        if number & !0xff != BYTES || dimensions == 0 {
            return Err(wrong_magic(path, number));
        }
        let header = bytes(4 * dimensions as u64)?;
        if header.len() != 4 * dimensions {
            return Err(short(&[&magic[..], &header].concat(), 4 + 4 * dimensions));
        }
        let (numbers, _) = header.as_chunks::<4>();
        let sizes: Vec<usize> = numbers
            .iter()
            .map(|number| u32::from_be_bytes(*number) as usize)
            .collect();
        let claimed = sizes
            .iter()
            .try_fold(1usize, |product, size| product.checked_mul(*size));
        let limit = claimed.map_or(u64::MAX, |claimed| (claimed as u64).saturating_add(1));
        let data = bytes(limit)?;
        if claimed != Some(data.len()) {
            let more = claimed.is_some_and(|claimed| data.len() > claimed);
            let got = format!(
                "{}{} bytes",
                if more { "at least " } else { "" },
                data.len()
            );
            let expected = format!("{} after the header", product(&sizes));
            return Err(Error::file(path, expected, got));
        }
        Ok(Self {
            path: path.to_path_buf(),
            sizes,
            bytes: data,
        })
    }
}

fn wrong_magic(path: &Path, number: u32) -> Error {
    let expected = format!(
        "an idx file of bytes (magic number {} for labels, {} for images)",
        BYTES + 1,
        BYTES + 3
    );
    Error::file(path, expected, format!("magic number {number}"))
}

/// The original files from what the hub's reader gives: images (N, 784) of k/255, labels (N,) of
/// u8.
pub(super) fn repack(dataset: &vision::Dataset) -> Result<Files> {
    let halves = [
        (&dataset.train_images, &dataset.train_labels),
        (&dataset.test_images, &dataset.test_labels),
    ];
    let mut files = Files::new();
    for ([images_name, labels_name], (images, labels)) in NAMES.into_iter().zip(halves) {
        files.push((
            images_name,
            idx(&[images.dim(0)?, 28, 28], &bytes_of(images)?)?,
        ));
        files.push((
            labels_name,
            idx(&[labels.dim(0)?], &labels.to_vec1::<u8>()?)?,
        ));
    }
    Ok(files)
}

fn idx(sizes: &[usize], data: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = (BYTES + sizes.len() as u32).to_be_bytes().to_vec();
    for size in sizes {
        let size =
            u32::try_from(*size).map_err(|_| Error::argument("images", "at most 2³² − 1", size))?;
        bytes.extend(size.to_be_bytes());
    }
    bytes.extend_from_slice(data);
    Ok(bytes)
}
