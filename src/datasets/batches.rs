//! Batches of indices and of tensors, in a seeded order.

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};
use crate::rng::Rng;

/// An iterator over batches of the indices `0..n`: each index once, `batch_size` at a time, the
/// last batch shorter if need be.
///
/// ```
/// use isopath::datasets::Batches;
/// use isopath::rng::Rng;
///
/// let in_order: Vec<_> = Batches::new(5, 2, None)?.collect();
/// assert_eq!(in_order, [vec![0, 1], vec![2, 3], vec![4]]);
/// let shuffled = Batches::new(5, 2, Some(&mut Rng::new(1)))?.drop_last();
/// assert_eq!(shuffled.len(), 2);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batches {
    n: usize,
    order: Vec<u32>,
    batch_size: usize,
    next: usize,
}

impl Batches {
    /// Batches of `0..n`, shuffled by `rng`, or in order without one. The same seed gives the same
    /// batches.
    ///
    /// # Errors
    /// `n` is 0 or above 2³² − 1, or `batch_size` is 0.
    pub fn new(n: usize, batch_size: usize, rng: Option<&mut Rng>) -> Result<Self> {
        let count = u32::try_from(n).ok().filter(|count| *count > 0);
        let Some(count) = count else {
            return Err(Error::argument("n", "from 1 to 2³² − 1", n));
        };
        if batch_size == 0 {
            return Err(Error::argument("batch_size", "at least 1", batch_size));
        }
        let order = match rng {
            // Below 2³², as just checked.
            Some(rng) => rng
                .permutation(n)
                .into_iter()
                .map(|index| index as u32)
                .collect(),
            None => (0..count).collect(),
        };
        Ok(Self {
            n,
            order,
            batch_size,
            next: 0,
        })
    }

    /// Without the last batch if it is shorter than the others.
    pub fn drop_last(mut self) -> Self {
        self.order
            .truncate(self.order.len() / self.batch_size * self.batch_size);
        self
    }

    /// Batches of images and labels on `device`.
    ///
    /// `images`: (n, …); `labels`: (n,), of any types. They may live on another device: only the
    /// batches are moved.
    ///
    /// # Errors
    /// `images` or `labels` have not n rows.
    pub fn of(self, images: &Tensor, labels: &Tensor, device: &Device) -> Result<TensorBatches> {
        let n = self.n;
        if labels.dims() != [n] {
            return Err(Error::shape(
                "Batches::of",
                "labels",
                format!("({n},)"),
                labels.dims(),
            ));
        }
        if images.dims().first() != Some(&n) {
            return Err(Error::shape(
                "Batches::of",
                "images",
                format!("({n}, …)"),
                images.dims(),
            ));
        }
        Ok(TensorBatches {
            batches: self,
            images: images.clone(),
            labels: labels.clone(),
            device: device.clone(),
        })
    }
}

impl Iterator for Batches {
    type Item = Vec<u32>;

    fn next(&mut self) -> Option<Vec<u32>> {
        let batch = self
            .order
            .get(self.next..)?
            .chunks(self.batch_size)
            .next()?
            .to_vec();
        self.next += batch.len();
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.order.len() - self.next).div_ceil(self.batch_size);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batches {}

/// An iterator over batches (images, labels): see [`Batches::of`].
#[derive(Clone, Debug)]
pub struct TensorBatches {
    batches: Batches,
    images: Tensor,
    labels: Tensor,
    device: Device,
}

impl Iterator for TensorBatches {
    type Item = Result<(Tensor, Tensor)>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = self.batches.next()?;
        let pick = |from: &Tensor| -> Result<Tensor> {
            let rows = Tensor::new(rows.as_slice(), from.device())?;
            Ok(from.index_select(&rows, 0)?.to_device(&self.device)?)
        };
        Some(pick(&self.images).and_then(|images| Ok((images, pick(&self.labels)?))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.batches.size_hint()
    }
}

impl ExactSizeIterator for TensorBatches {}
