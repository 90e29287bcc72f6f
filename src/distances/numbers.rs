//! The numbers of points as they lie in memory, read in f64.

use std::ops::Range;

use candle_core::{CpuStorage, DType, Device, Layout, Storage, Tensor};

use super::slices::{dot, euclidean};
use crate::error::{Error, Result};

/// Numbers of each point that are multiplied at a time: those of two blocks are 16 MB in f64.
pub(super) const COLUMNS: usize = 2_048;

/// Points in order in memory, f32 or f64.
pub(super) fn on_host(points: &Tensor) -> Result<Tensor> {
    let points = points.detach().to_device(&Device::Cpu)?.contiguous()?;
    Ok(match points.dtype() {
        DType::F32 | DType::F64 => points,
        _ => points.to_dtype(DType::F64)?,
    })
}

/// The numbers of points, as [`on_host`] gives them.
pub(super) struct Numbers<'a> {
    width: usize,
    all: All<'a>,
}

enum All<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
}

impl<'a> Numbers<'a> {
    pub fn of(storage: &'a Storage, layout: &Layout) -> Result<Self> {
        let (_, width) = layout.shape().dims2()?;
        let first = layout.start_offset();
        let all = match storage {
            Storage::Cpu(CpuStorage::F32(numbers)) => All::F32(&numbers[first..]),
            Storage::Cpu(storage) => All::F64(&storage.as_slice::<f64>()?[first..]),
            _ => return Err(Error::argument("device of points", "the CPU", "a GPU")),
        };
        Ok(Self { width, all })
    }

    fn row<'b, T>(&self, all: &'b [T], row: usize) -> &'b [T] {
        &all[row * self.width..][..self.width]
    }

    /// Some numbers of some rows, in f64.
    fn columns(&self, rows: &[usize], columns: Range<usize>) -> Result<Tensor> {
        let mut numbers = Vec::with_capacity(rows.len() * columns.len());
        for row in rows {
            match self.all {
                All::F32(all) => {
                    let row = &self.row(all, *row)[columns.clone()];
                    numbers.extend(row.iter().map(|number| f64::from(*number)));
                }
                All::F64(all) => numbers.extend_from_slice(&self.row(all, *row)[columns.clone()]),
            }
        }
        let shape = (rows.len(), columns.len());
        Ok(Tensor::from_vec(numbers, shape, &Device::Cpu)?)
    }

    /// The products of rows `a` and `b`, in f64.
    pub fn products(&self, a: &[usize], b: &[usize]) -> Result<Tensor> {
        let mut sum = Tensor::zeros((a.len(), b.len()), DType::F64, &Device::Cpu)?;
        for start in (0..self.width).step_by(COLUMNS) {
            let columns = start..self.width.min(start + COLUMNS);
            let b = self.columns(b, columns.clone())?.t()?;
            sum = (sum + self.columns(a, columns)?.matmul(&b)?)?;
        }
        Ok(sum)
    }

    /// ‖a‖².
    pub fn square(&self, row: usize) -> f64 {
        match self.all {
            All::F32(all) => dot(self.row(all, row), self.row(all, row)),
            All::F64(all) => dot(self.row(all, row), self.row(all, row)),
        }
    }

    /// ‖a − b‖.
    pub fn distance(&self, a: usize, b: usize) -> f64 {
        match self.all {
            All::F32(all) => euclidean(self.row(all, a), self.row(all, b)),
            All::F64(all) => euclidean(self.row(all, a), self.row(all, b)),
        }
    }
}
