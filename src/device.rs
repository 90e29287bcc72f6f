//! The device of the tensors: a CUDA GPU if the crate is built with CUDA and one is present, else
//! the CPU.

use candle_core::Device;

/// The device to compute on: the first CUDA device when the crate was built with `--features cuda`
/// and one is present, else the CPU.
///
/// `ISOPATH_DEVICE=cpu` keeps everything on the CPU.
pub fn best() -> Device {
    if std::env::var("ISOPATH_DEVICE").is_ok_and(|name| name == "cpu") {
        return Device::Cpu;
    }
    Device::cuda_if_available(0).unwrap_or(Device::Cpu)
}
