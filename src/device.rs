//! The device of the tensors: a CUDA GPU if the crate is built with CUDA and one is present, else
//! the CPU.

#[cfg(feature = "cuda")]
mod gpu;

use std::sync::OnceLock;

use candle_core::{DType, Device, Tensor};

use crate::error::Result;

/// The device to compute on: the first CUDA device when the crate was built with `--features cuda`
/// and one is present, else the CPU. It is opened once; all threads then compute on it in one order.
///
/// `ISOPATH_DEVICE=cpu` keeps everything on the CPU. If a GPU cannot be opened, standard error says why.
pub fn best() -> Device {
    static BEST: OnceLock<Device> = OnceLock::new();
    BEST.get_or_init(
        || match std::env::var("ISOPATH_DEVICE").is_ok_and(|name| name == "cpu") {
            true => Device::Cpu,
            false => open(),
        },
    )
    .clone()
}

#[cfg(feature = "cuda")]
fn open() -> Device {
    gpu::open().unwrap_or_else(|error| {
        eprintln!("no CUDA device could be opened, so the CPU is used: {error}");
        Device::Cpu
    })
}

#[cfg(not(feature = "cuda"))]
fn open() -> Device {
    Device::Cpu
}

/// Some rows of a tensor (N, …) along its first axis, in this order.
pub(crate) fn rows(tensor: &Tensor, index: &[u32]) -> Result<Tensor> {
    select(tensor, &indices(index, tensor.device())?, 0)
}

/// Numbers of rows, (N,). CUDA has no memory for a tensor of none, so that is cut from another.
pub(crate) fn indices(rows: &[u32], device: &Device) -> Result<Tensor> {
    Ok(match rows {
        [] => Tensor::zeros(1, DType::U32, device)?.narrow(0, 0, 0)?,
        rows => Tensor::new(rows, device)?,
    })
}

/// The numbers at an index along an axis; candle's `index_select` on CUDA takes neither numbers out of
/// order nor an empty index.
pub(crate) fn select(tensor: &Tensor, index: &Tensor, axis: usize) -> Result<Tensor> {
    if index.elem_count() == 0 {
        return Ok(tensor.narrow(axis, 0, 0)?);
    }
    if tensor.device().is_cpu() {
        return Ok(tensor.index_select(index, axis)?);
    }
    Ok(tensor.contiguous()?.index_select(index, axis)?)
}
