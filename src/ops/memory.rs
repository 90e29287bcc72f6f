//! The numbers of a tensor, read where they lie.

use std::ops::Deref;

use candle_core::{Layout, Result, Storage, Tensor, WithDType, bail};

/// A contiguous tensor on the CPU while it is read.
pub(super) struct Memory<'a, G> {
    storage: G,
    layout: &'a Layout,
}

/// Locks the numbers of `tensor` for reading.
pub(super) fn memory(tensor: &Tensor) -> Memory<'_, impl Deref<Target = Storage>> {
    let (storage, layout) = tensor.storage_and_layout();
    Memory { storage, layout }
}

impl<G: Deref<Target = Storage>> Memory<'_, G> {
    pub(super) fn numbers<T: WithDType>(&self) -> Result<&[T]> {
        match &*self.storage {
            Storage::Cpu(storage) => contiguous(storage.as_slice()?, self.layout),
            _ => bail!("expected a tensor on the CPU"),
        }
    }
}

/// The numbers of a contiguous tensor.
pub(super) fn contiguous<'a, T>(values: &'a [T], layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&values[start..end]),
        None => bail!(
            "a tensor of shape {:?} is not in order in memory",
            layout.dims()
        ),
    }
}
