//! Training: Adam, batches, history, checkpoints.
