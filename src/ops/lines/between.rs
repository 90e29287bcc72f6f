//! Rows between two neighbouring rows.

use candle_core::{CpuStorage, CustomOp1, Error, Layout, Shape, Tensor, bail};

use crate::ops::Rows;

/// Rows on the way from one row of a tensor to the next.
pub(crate) struct Between {
    /// For each row of the result the row of the argument that it is, or that it comes after.
    pub before: Vec<u32>,
    /// The share of the way to the next row; 0 at the row itself.
    pub share: Vec<f64>,
    /// Whether negative numbers become 0.
    pub relu: bool,
    /// Numbers that are 0, by their place in the result.
    pub zeros: Vec<u64>,
}

impl Between {
    /// (1 − share) x_before + share x_{before + 1}, of x (N, n).
    ///
    /// # Errors
    /// A row, or a number, that there is not; x not in order, or not f64.
    pub fn of(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        x.apply_op1_no_bwd(self)
    }

    /// The size of a row; the one place that bounds what the kernels read and write.
    pub(super) fn size(&self, layout: &Layout) -> candle_core::Result<usize> {
        let (rows, size) = layout.shape().dims2()?;
        let last = self.before.iter().zip(&self.share);
        let last = last.map(|(before, share)| *before as usize + usize::from(*share > 0.));
        let all = (self.before.len() * size) as u64;
        let fits = last.max().is_none_or(|last| last < rows)
            && self.zeros.iter().all(|place| *place < all)
            && self.before.len() == self.share.len()
            && layout.is_contiguous();
        match fits {
            true => Ok(size),
            false => bail!("{}: rows outside of {rows}, or not in order", self.name()),
        }
    }
}

impl CustomOp1 for Between {
    fn name(&self) -> &'static str {
        "rows between two"
    }

    fn cpu_fwd(
        &self,
        storage: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let size = self.size(layout)?;
        let x = &storage.as_slice::<f64>()?[layout.start_offset()..];
        let kernels = Rows::new().map_err(Error::wrap)?;
        let mut rows = vec![0.; self.before.len() * size];
        let places = self.before.iter().zip(&self.share);
        for (to, (before, share)) in rows.chunks_mut(size.max(1)).zip(places) {
            let row = |at: usize| &x[at * size..][..size];
            let before = *before as usize;
            match (*share > 0., self.relu) {
                (true, true) => kernels.relu_between(row(before), row(before + 1), *share, to),
                (true, false) => kernels.between(row(before), row(before + 1), *share, to),
                (false, true) => kernels.relu(row(before), to),
                (false, false) => to.copy_from_slice(row(before)),
            }
        }
        for place in &self.zeros {
            rows[*place as usize] = 0.;
        }
        let shape = (self.before.len(), size).into();
        Ok((CpuStorage::F64(rows), shape))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        storage: &candle_core::CudaStorage,
        layout: &Layout,
    ) -> candle_core::Result<(candle_core::CudaStorage, Shape)> {
        let size = self.size(layout)?;
        let rows = on_gpu::between(self, storage, layout.start_offset(), size)?;
        Ok((rows, (self.before.len(), size).into()))
    }
}

#[cfg(feature = "cuda")]
mod on_gpu {
    use candle_core::backend::BackendStorage;
    use candle_core::{CudaStorage, Result};

    use super::Between;
    use crate::ops::lines::cuda::{grid, numbers, room, whole};

    pub(super) fn between(
        between: &Between,
        storage: &CudaStorage,
        start: usize,
        size: usize,
    ) -> Result<CudaStorage> {
        let device = storage.device();
        let (rows, x) = (between.before.len(), numbers(storage, start)?);
        let mut result = room(device, rows * size)?;
        if rows * size > 0 {
            let before = device.clone_htod(&between.before)?;
            let share = device.clone_htod(&between.share)?;
            let relu = i32::from(between.relu);
            launch!(
                device,
                "between",
                grid(rows, size),
                &(rows as u64),
                &whole(size)?,
                &x,
                &before,
                &share,
                &relu,
                &mut result
            );
        }
        let count = between.zeros.len();
        if count > 0 {
            let places = device.clone_htod(&between.zeros)?;
            let grid = grid(1, count);
            launch!(device, "clear", grid, &whole(count)?, &places, &mut result);
        }
        Ok(CudaStorage::wrap_cuda_slice(result, device.clone()))
    }
}
