//! Training: Adam, shuffled batches, history, checkpoints.

mod adam;
mod checkpoint;
mod history;
mod parallel;
mod train;

pub use adam::{Adam, AdamParams};
pub use history::{Epoch, History, Progress, printer};
pub use parallel::in_parallel;
pub use train::{TrainParams, step, train};
