//! Training: shuffled batches, learning-rate schedules, history, checkpoints. The optimisers are in
//! [`optimizers`](crate::optimizers).

mod average;
mod checkpoint;
mod parallel;
mod progress;
mod schedule;
mod stack;
mod train;

pub use crate::models::{Epoch, History};
pub use crate::optimizers::{AdamParams, FireParams, Optimizer, SgdParams};
pub use parallel::in_parallel;
pub use progress::{Observer, Status};
pub use schedule::Schedule;
pub(crate) use stack::train_stack_observed;
pub use stack::{StackParams, check_nested, stack_terms, step_stack, train_stack};
pub(crate) use train::train_observed;
pub use train::{LastBatch, TrainParams, step, train};
