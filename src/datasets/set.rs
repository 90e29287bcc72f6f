//! Which sets there are, and which bytes they must hold.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::{Error, Result};

/// A data set that [`crate::datasets::fetch`] can bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// 60,000 training and 10,000 test images of handwritten digits, 28×28 grey.
    Mnist,
    /// 50,000 training and 10,000 test photographs of ten kinds of things, 32×32 RGB.
    Cifar10,
}

/// A file of a set and what proves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// The name inside the set's folder.
    pub name: &'static str,
    /// The size in bytes.
    pub bytes: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: &'static str,
}

const fn file(name: &'static str, bytes: u64, sha256: &'static str) -> DataFile {
    DataFile {
        name,
        bytes,
        sha256,
    }
}

// The training images' md5 is 6bbc9ace898e44ae57da46a324031adb, as published for the gunzipped
// release.
const MNIST: [DataFile; 4] = [
    file(
        "train-images-idx3-ubyte",
        47_040_016,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    file(
        "train-labels-idx1-ubyte",
        60_008,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    file(
        "t10k-images-idx3-ubyte",
        7_840_016,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    file(
        "t10k-labels-idx1-ubyte",
        10_008,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
];

const CIFAR10: [DataFile; 6] = [
    file(
        "data_batch_1.bin",
        30_730_000,
        "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    ),
    file(
        "data_batch_2.bin",
        30_730_000,
        "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    ),
    file(
        "data_batch_3.bin",
        30_730_000,
        "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    ),
    file(
        "data_batch_4.bin",
        30_730_000,
        "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    ),
    file(
        "data_batch_5.bin",
        30_730_000,
        "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    ),
    file(
        "test_batch.bin",
        30_730_000,
        "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    ),
];

impl Set {
    /// Every set.
    pub const ALL: [Self; 2] = [Self::Mnist, Self::Cifar10];

    /// `mnist` or `cifar10`: on the command line, and the name of the set's folder.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::Cifar10 => "cifar10",
        }
    }

    /// The files of the set, with size and SHA-256.
    pub const fn files(self) -> &'static [DataFile] {
        match self {
            Self::Mnist => &MNIST,
            Self::Cifar10 => &CIFAR10,
        }
    }

    /// The set's folder below the root of all data sets.
    pub fn folder(self, root: &Path) -> PathBuf {
        root.join(self.name())
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
            .ok_or_else(|| Error::argument("data set", "mnist or cifar10", format!("{name:?}")))
    }
}
