//! What is added to a matrix product.

use candle_core::{CpuStorage, InplaceOp1, Layout, Storage, Tensor, bail};

/// Adds the bias (n,) to each row of `rows` (N, n), and `other`, of as many numbers.
///
/// # Errors
/// Other shapes, numbers not in order, or not f64.
pub(crate) fn add(rows: &Tensor, bias: &Tensor, other: Option<&Tensor>) -> candle_core::Result<()> {
    rows.inplace_op1(&Added { bias, other })
}

struct Added<'a> {
    bias: &'a Tensor,
    other: Option<&'a Tensor>,
}

impl Added<'_> {
    /// Rows and columns; the one place that bounds what the kernels read and write.
    fn sizes(&self, layout: &Layout) -> candle_core::Result<[usize; 2]> {
        let (rows, columns) = layout.shape().dims2()?;
        let of = |tensor: &Tensor, count| tensor.elem_count() == count && tensor.is_contiguous();
        let fits = of(self.bias, columns)
            && self.other.is_none_or(|other| of(other, rows * columns))
            && layout.is_contiguous();
        match fits {
            true => Ok([rows, columns]),
            false => bail!("{}: another number of them, or not in order", self.name()),
        }
    }
}

impl InplaceOp1 for Added<'_> {
    fn name(&self) -> &'static str {
        "sum with a bias"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let [rows, columns] = self.sizes(layout)?;
        let CpuStorage::F64(numbers) = storage else {
            bail!("{}: not f64", self.name());
        };
        let numbers = &mut numbers[layout.start_offset()..][..rows * columns];
        let add = |tensor: &Tensor, to: &mut [f64]| -> candle_core::Result<()> {
            let (storage, layout) = tensor.storage_and_layout();
            let Storage::Cpu(CpuStorage::F64(own)) = &*storage else {
                bail!("{}: not f64 on the CPU", self.name());
            };
            let own = &own[layout.start_offset()..][..tensor.elem_count()];
            for to in to.chunks_mut(own.len().max(1)) {
                for (to, own) in to.iter_mut().zip(own) {
                    *to += own;
                }
            }
            Ok(())
        };
        add(self.bias, numbers)?;
        self.other.map_or(Ok(()), |other| add(other, numbers))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        storage: &mut candle_core::CudaStorage,
        layout: &Layout,
    ) -> candle_core::Result<()> {
        let sizes = self.sizes(layout)?;
        on_gpu::add(self, storage, layout.start_offset(), sizes)
    }
}

#[cfg(feature = "cuda")]
mod on_gpu {
    use candle_core::backend::BackendStorage;
    use candle_core::cuda_backend::cudarc::driver::CudaView;
    use candle_core::{CudaStorage, Result, Storage, Tensor, bail};

    use super::Added;
    use crate::ops::lines::cuda::{grid, numbers, whole};

    pub(super) fn add(
        added: &Added<'_>,
        storage: &mut CudaStorage,
        start: usize,
        [rows, columns]: [usize; 2],
    ) -> Result<()> {
        let device = storage.device().clone();
        let with = |tensor: &Tensor, run: &mut dyn FnMut(&CudaView<'_, f64>) -> Result<()>| {
            let (storage, layout) = tensor.storage_and_layout();
            match &*storage {
                Storage::Cuda(storage) => run(&numbers(storage, layout.start_offset())?),
                _ => bail!("a bias that is not on the GPU"),
            }
        };
        let count = rows * columns;
        if count == 0 {
            return Ok(());
        }
        let with_other = i32::from(added.other.is_some());
        // Whole rows, enough of them for a grid.
        let size = columns * 65_536usize.div_ceil(columns);
        let mut result = storage.as_cuda_slice_mut::<f64>()?.slice_mut(start..);
        with(added.bias, &mut |bias| {
            with(added.other.unwrap_or(added.bias), &mut |other| {
                launch!(
                    device,
                    "add",
                    grid(count.div_ceil(size), size),
                    &(count as u64),
                    &whole(size)?,
                    &whole(columns)?,
                    bias,
                    other,
                    &with_other,
                    &mut result
                );
                Ok(())
            })
        })
    }
}
