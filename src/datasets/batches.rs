//! Shuffled batches of a data set.

use candle_core::Tensor;

use super::dataset::Dataset;
use crate::device;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// An iterator over shuffled batches of a data set: each input once, `batch_size` at a time, the
/// last batch smaller if need be. [`Dataset::shuffled_batches`] makes one.
///
/// ```
/// use isopath::candle::{DType, Device, Tensor};
/// use isopath::datasets::Dataset;
/// use isopath::rng::Rng;
///
/// let inputs = Tensor::zeros((5, 2), DType::F32, &Device::Cpu)?;
/// let data = Dataset::new(inputs, Tensor::new(&[0u32, 1, 0, 1, 0], &Device::Cpu)?)?;
/// let sizes: Vec<usize> = data
///     .shuffled_batches(2, Rng::new(0))?
///     .map(|batch| Ok(batch?.len()))
///     .collect::<isopath::Result<_>>()?;
/// assert_eq!(sizes, [2, 2, 1]);
/// assert_eq!(data.shuffled_batches(2, Rng::new(0))?.drop_last().len(), 2);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batches {
    data: Dataset,
    /// (n,) of u32; none where one batch takes everything.
    order: Option<Tensor>,
    batch_size: usize,
    /// Where the next batch begins, and where the last one ends.
    next: usize,
    end: usize,
}

impl Dataset {
    /// The data in batches of `batch_size` inputs whose order is drawn from `rng`. A batch that
    /// takes everything has the data's own order.
    ///
    /// # Errors
    /// `batch_size` is 0, or there are more than 2³² − 1 inputs.
    pub fn shuffled_batches(&self, batch_size: usize, mut rng: Rng) -> Result<Batches> {
        if batch_size == 0 {
            return Err(Error::argument("batch_size", "at least 1", batch_size));
        }
        let n = self.len();
        if u32::try_from(n).is_err() {
            return Err(Error::argument("number of inputs", "at most 2³² − 1", n));
        }
        let order = if n <= batch_size {
            None
        } else {
            let order = rng
                .permutation(n)
                .into_iter()
                .map(|row| row as u32)
                .collect();
            Some(Tensor::from_vec(order, n, self.inputs.device())?)
        };
        Ok(Batches {
            data: self.clone(),
            order,
            batch_size,
            next: 0,
            end: n,
        })
    }
}

impl Batches {
    /// Leaves out the last batch if it is smaller than `batch_size`.
    pub fn drop_last(mut self) -> Self {
        self.end -= self.end % self.batch_size;
        self
    }

    fn batch(&self, start: usize, count: usize) -> Result<Dataset> {
        let Some(order) = &self.order else {
            return Ok(self.data.clone());
        };
        let rows = order.narrow(0, start, count)?;
        let inputs = device::select(&self.data.inputs, &rows, 0)?;
        Ok(self
            .data
            .part(inputs, device::select(&self.data.labels, &rows, 0)?))
    }
}

impl Iterator for Batches {
    type Item = Result<Dataset>;

    fn next(&mut self) -> Option<Self::Item> {
        let (start, count) = (self.next, self.batch_size.min(self.end - self.next));
        self.next += count;
        (count > 0).then(|| self.batch(start, count))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.end - self.next).div_ceil(self.batch_size);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batches {}
