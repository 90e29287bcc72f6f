//! Images on the host, one a row: where each takes steps of its own.

use candle_core::{DType, Device, Tensor, WithDType};

use super::goal::Norm;
use crate::error::Result;
use crate::models::Network;
use crate::rng::Rng;

/// What a pixel is computed in: f64 for images of f64, else f32.
pub(super) trait Pixel: WithDType {
    /// The bytes of one pixel, for a digest.
    fn bytes(self) -> [u8; 8];
}

impl Pixel for f32 {
    fn bytes(self) -> [u8; 8] {
        f64::from(self).to_le_bytes()
    }
}

impl Pixel for f64 {
    fn bytes(self) -> [u8; 8] {
        self.to_le_bytes()
    }
}

/// The shape, type and place of the images that a network takes.
#[derive(Clone)]
pub(super) struct Form {
    /// The axes of one image.
    pub dims: Vec<usize>,
    pub dtype: DType,
    pub device: Device,
}

impl Form {
    /// That of images (N, …).
    pub fn of(images: &Tensor) -> Self {
        Self {
            dims: images.dims().get(1..).unwrap_or_default().to_vec(),
            dtype: images.dtype(),
            device: images.device().clone(),
        }
    }

    /// The number of pixels of one image, with all channels.
    pub fn pixels(&self) -> usize {
        self.dims.iter().product()
    }

    /// The images, one after another in `values`, as the network takes them.
    pub fn tensor<T: Pixel>(&self, values: &[T]) -> Result<Tensor> {
        let rows = values.len().checked_div(self.pixels()).unwrap_or(0);
        let dims: Vec<usize> = [rows].iter().chain(&self.dims).copied().collect();
        Ok(Tensor::from_slice(values, dims, &Device::Cpu)?
            .to_dtype(self.dtype)?
            .to_device(&self.device)?)
    }

    /// The same images, rounded as the network takes them.
    pub fn rounded<T: Pixel>(&self, images: Vec<T>) -> Result<Vec<T>> {
        match self.dtype == T::DTYPE {
            true => Ok(images),
            false => values(&self.tensor(&images)?),
        }
    }
}

/// Fewer images than this are asked several times at once: `gemm` sums products of few rows in another
/// order, and a product may be halved by rows.
const FEWEST: usize = 8;

/// The logits of images (N, …), each independent of how many there are if the network's are from
/// [`FEWEST`] rows on: an `Mlp`'s are, but for layers of 25 to 32 units with AVX2.
pub(super) fn asked(network: &dyn Network, images: &Tensor) -> Result<Tensor> {
    let rows = images.dim(0)?;
    if rows == 0 || rows >= FEWEST {
        return network.forward(images);
    }
    let copies = FEWEST.div_ceil(rows);
    let logits = network.forward(&Tensor::cat(&vec![images; copies], 0)?)?;
    match logits.dims().first() {
        Some(all) if *all == copies * rows => Ok(logits.narrow(0, 0, rows)?.contiguous()?),
        _ => Ok(logits),
    }
}

/// ‖a − b‖, in f64.
pub(super) fn distance<T: Pixel>(norm: Norm, a: &[T], b: &[T]) -> f64 {
    let changes = a.iter().zip(b).map(|(a, b)| a.to_f64() - b.to_f64());
    match norm {
        Norm::LInf => changes.fold(0., |most: f64, change| most.max(change.abs())),
        Norm::L2 => changes.map(|change| change * change).sum::<f64>().sqrt(),
    }
}

/// The numbers of images (N, …), one image after another.
pub(super) fn values<T: Pixel>(images: &Tensor) -> Result<Vec<T>> {
    Ok(images
        .detach()
        .to_dtype(T::DTYPE)?
        .flatten_all()?
        .to_vec1()?)
}

/// The random numbers of one image under one attack.
///
/// They follow from the seed, the name and the image alone, so that neither its place nor its
/// neighbours change them.
pub(super) fn stream<T: Pixel>(seed: u64, name: &str, image: &[T]) -> Rng {
    let mut bytes = name.as_bytes().to_vec();
    bytes.extend(image.iter().flat_map(|pixel| pixel.bytes()));
    Rng::new(seed).stream(bytes)
}
