//! The numbers of a tensor, read without a copy.

use std::ops::Deref;

use candle_core::{Layout, Result, Storage, Tensor, WithDType, bail};

use super::operation::Operation;

/// A contiguous tensor on the CPU while it is read.
pub(super) struct Memory<'a, G> {
    operation: Operation,
    storage: G,
    layout: &'a Layout,
}

/// Locks the numbers of `tensor` for `operation` to read.
pub(super) fn memory(
    operation: Operation,
    tensor: &Tensor,
) -> Memory<'_, impl Deref<Target = Storage>> {
    let (storage, layout) = tensor.storage_and_layout();
    Memory {
        operation,
        storage,
        layout,
    }
}

impl<G: Deref<Target = Storage>> Memory<'_, G> {
    pub(super) fn numbers<T: WithDType>(&self) -> Result<&[T]> {
        match &*self.storage {
            Storage::Cpu(storage) => contiguous(self.operation, storage.as_slice()?, self.layout),
            _ => bail!(
                "{}: expected all tensors on the CPU, as the first",
                self.operation
            ),
        }
    }
}

/// The numbers of a contiguous tensor.
pub(super) fn contiguous<'a, T>(
    operation: Operation,
    values: &'a [T],
    layout: &Layout,
) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&values[start..end]),
        None => bail!(
            "{operation}: the numbers of shape {:?} are not in order in memory; use contiguous()",
            layout.dims()
        ),
    }
}
