//! Opens a GPU.

use candle_core::cuda_backend::cudarc::driver::result::{device, mem_pool};
use candle_core::cuda_backend::cudarc::driver::sys::CUmemPool_attribute;
use candle_core::cuda_backend::{CudaDevice, WrapErr};
use candle_core::{Device, Result};

/// The first GPU, with one stream for all threads.
///
/// Candle gives each thread a stream of its own otherwise, and a tensor that goes from one thread to
/// another is then read before it is there.
///
/// # Errors
/// There is none.
pub(super) fn open() -> Result<Device> {
    let gpu = Device::new_cuda_with_stream(0)?;
    let cuda = gpu.as_cuda_device()?;
    keep_freed_memory(cuda)?;
    // SAFETY: what is to be tracked is the use of a tensor on another stream than its own, and there
    // is one stream.
    #[expect(unsafe_code)]
    unsafe {
        cuda.disable_event_tracking();
    }
    Ok(gpu)
}

/// Without this the driver gives freed memory back at every wait for a result, and asks for it anew.
fn keep_freed_memory(cuda: &CudaDevice) -> Result<()> {
    let device = cuda.cuda_stream().context().cu_device();
    let mut threshold = u64::MAX;
    let attribute = CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: the device is open, its default pool lives as long, and the attribute is a u64.
    #[expect(unsafe_code)]
    unsafe {
        let pool = device::get_default_mem_pool(device).w()?;
        mem_pool::set_attribute(pool, attribute, (&raw mut threshold).cast()).w()
    }
}
