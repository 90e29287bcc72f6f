//! Training: Adam and SGD, shuffled batches, history, checkpoints.

mod adam;
mod checkpoint;
mod history;
mod optimizer;
mod parallel;
mod sgd;
mod train;

pub use adam::{Adam, AdamParams};
pub use history::{Epoch, History, Progress, printer};
pub use optimizer::{Optimizer, Schedule};
pub use parallel::in_parallel;
pub use sgd::{Sgd, SgdParams};
pub use train::{TrainParams, train};
