//! A set as four tensors, for what does not take a [`Split`] yet.
// until the experiments take Split

use candle_core::{Device, Tensor};

use super::dataset::{Dataset, Split};
use crate::error::Result;

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
}

impl From<Split> for Images {
    fn from(Split { train, test }: Split) -> Self {
        let classes = train.classes.len();
        let [train, test] = [train, test].map(|Dataset { inputs, labels, .. }| (inputs, labels));
        let ((train_images, train_labels), (test_images, test_labels)) = (train, test);
        Self {
            train_images,
            train_labels,
            test_images,
            test_labels,
            classes,
        }
    }
}

/// MNIST as [`Images`].
pub mod mnist {
    use std::path::Path;

    use super::Images;
    use crate::datasets::load::read;
    use crate::datasets::table::Set;
    use crate::error::Result;

    /// MNIST from the folder `mnist` below `root`, on the CPU.
    ///
    /// # Errors
    /// As [`load`](crate::datasets::load).
    pub fn load(root: &Path) -> Result<Images> {
        Ok(read(Set::Mnist, root)?.into())
    }
}

/// CIFAR-10 as [`Images`].
pub mod cifar10 {
    use std::path::Path;

    use super::Images;
    use crate::datasets::load::read;
    use crate::datasets::table::{CIFAR10_CLASSES, Set};
    use crate::error::Result;

    /// The names of the classes, in the order of their labels.
    pub const NAMES: [&str; 10] = CIFAR10_CLASSES;

    /// CIFAR-10 from the folder `cifar10` below `root`, on the CPU.
    ///
    /// # Errors
    /// As [`load`](crate::datasets::load).
    pub fn load(root: &Path) -> Result<Images> {
        Ok(read(Set::Cifar10, root)?.into())
    }
}
