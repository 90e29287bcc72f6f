//! Training: Adam, shuffled batches, history, checkpoints.

mod adam;
mod checkpoint;
mod history;
mod parallel;
mod stack;
mod train;

pub use adam::{Adam, AdamParams};
pub use history::{Epoch, History, Progress, printer, printer_every};
pub use parallel::in_parallel;
pub use stack::{StackParams, check_nested, stack_terms, train_stack};
pub use train::{TrainParams, train};
