//! Training: Adam and SGD, shuffled batches, history, checkpoints.

mod adam;
mod average;
mod checkpoint;
mod optimizer;
mod parallel;
mod progress;
mod sgd;
mod stack;
mod train;

pub use crate::models::{Epoch, History};
pub use adam::{Adam, AdamParams};
pub use optimizer::{Optimizer, Schedule};
pub use parallel::in_parallel;
pub use progress::{Observer, Status};
pub use sgd::{Sgd, SgdParams};
pub(crate) use stack::train_stack_heard;
pub use stack::{StackParams, check_nested, stack_terms, step_stack, train_stack};
pub(crate) use train::train_heard;
pub use train::{LastBatch, TrainParams, step, train};
