//! How the kernels of `kernels.cu` are started on a GPU.

use std::sync::OnceLock;

use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, LaunchConfig};
use candle_core::cuda_backend::{CudaDevice, CudaStorage, cudarc};
use candle_core::{Result, bail};

const SOURCE: &str = include_str!("kernels.cu");
const THREADS: u32 = 256;
/// Blocks along the y axis at most.
const ROWS: usize = 65_535;

/// The source, compiled once for all cards: a driver compiles it for its own.
pub(super) fn compiled() -> Result<&'static str> {
    static COMPILED: OnceLock<std::result::Result<String, String>> = OnceLock::new();
    let compile = || match cudarc::nvrtc::compile_ptx(SOURCE) {
        Ok(code) => Ok(code.to_src()),
        Err(error) => Err(error.to_string()),
    };
    match COMPILED.get_or_init(compile) {
        Ok(code) => Ok(code),
        Err(error) => bail!("the kernels of exact lines could not be compiled: {error}"),
    }
}

/// Blocks for so many rows of so many numbers.
pub(super) fn grid(rows: usize, size: usize) -> LaunchConfig {
    let blocks = size.div_ceil(THREADS as usize).clamp(1, 1024);
    LaunchConfig {
        grid_dim: (blocks as u32, rows.clamp(1, ROWS) as u32, 1),
        block_dim: (THREADS, 1, 1),
        shared_mem_bytes: 0,
    }
}

/// Runs a kernel with these arguments.
macro_rules! launch {
    ($device:expr, $name:literal, $grid:expr, $($argument:expr),+) => {{
        use candle_core::cuda_backend::WrapErr as _;
        use candle_core::cuda_backend::cudarc::driver::PushKernelArg as _;
        let code = $crate::ops::lines::cuda::compiled()?;
        let function = $device.get_or_load_custom_func($name, "isopath_lines", code)?;
        let mut builder = function.builder();
        $(let argument = $argument;
        builder.arg(argument);)+
        // SAFETY: the arguments are those that kernels.cu declares, and whoever starts a kernel has
        // compared the sizes with the tensors.
        #[expect(unsafe_code)]
        unsafe { builder.launch($grid) }.w()?;
    }};
}

/// Memory that a kernel fills.
pub(super) fn room(device: &CudaDevice, count: usize) -> Result<CudaSlice<f64>> {
    // SAFETY: every number is written before one is read.
    #[expect(unsafe_code)]
    unsafe {
        device.alloc(count.max(1))
    }
}

/// A number of numbers that a kernel counts with.
pub(super) fn whole(count: usize) -> Result<u32> {
    match u32::try_from(count) {
        Ok(count) if count < 1 << 31 => Ok(count),
        _ => bail!("{count} numbers of a row; at most 2^31 - 1"),
    }
}

pub(super) fn numbers(storage: &CudaStorage, start: usize) -> Result<CudaView<'_, f64>> {
    Ok(storage.as_cuda_slice::<f64>()?.slice(start..))
}
