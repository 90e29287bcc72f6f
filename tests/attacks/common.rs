//! Small networks and losses to attack.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{DType, Device, Tensor};
use isopath::Result;
use isopath::datasets::Dataset;
use isopath::losses::Loss;
use isopath::models::Network;
use isopath::rng::Rng;

/// Flatten, then linear layers with tanh between them; one stage a layer.
#[derive(Clone)]
pub struct Mlp {
    /// (out, in) and (out,) of each layer.
    pub layers: Vec<(Tensor, Tensor)>,
}

impl Mlp {
    pub fn random(seed: u64, widths: &[usize], dtype: DType) -> Result<Self> {
        let mut rng = Rng::new(seed).stream("weights");
        let mut layers = Vec::new();
        for (inputs, outputs) in widths.iter().zip(&widths[1..]) {
            let weight = rng.normal((*outputs, *inputs), 0., 0.6, dtype, &Device::Cpu)?;
            layers.push((weight, rng.normal(*outputs, 0., 0.3, dtype, &Device::Cpu)?));
        }
        Ok(Self { layers })
    }
}

impl Network for Mlp {
    fn stages(&self) -> usize {
        self.layers.len()
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = &self.layers[index];
        let y = x
            .flatten_from(1)?
            .matmul(&weight.t()?)?
            .broadcast_add(bias)?;
        Ok(if index + 1 < self.layers.len() {
            y.tanh()?
        } else {
            y
        })
    }
}

/// Mean cross-entropy; a clone counts the same calls.
#[derive(Clone, Default)]
pub struct CrossEntropy {
    pub calls: Arc<AtomicUsize>,
}

impl Loss for CrossEntropy {
    fn loss(&self, network: &dyn Network, batch: &Dataset) -> Result<Tensor> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        Ok(candle_nn::loss::cross_entropy(
            &network.forward(&batch.inputs)?,
            &batch.labels,
        )?)
    }
}

/// Any other function of the network, the batch and its labels.
pub struct Custom<F>(pub F);

impl<F> Loss for Custom<F>
where
    F: Fn(&dyn Network, &Tensor, &Tensor) -> Result<Tensor> + Send + Sync,
{
    fn loss(&self, network: &dyn Network, batch: &Dataset) -> Result<Tensor> {
        self.0(network, &batch.inputs, &batch.labels)
    }
}

/// (rows, 12) images in [0, 1], some pixels on the bounds, and labels below 4 that a network need
/// not agree with.
pub fn batch(seed: u64, rows: usize, dtype: DType) -> Result<Dataset> {
    let mut rng = Rng::new(seed).stream("images");
    let images = rng
        .uniform((rows, 12), -0.2, 1.2, dtype, &Device::Cpu)?
        .clamp(0., 1.)?;
    let labels = (0..rows)
        .map(|_| Ok(rng.below(4)? as u32))
        .collect::<Result<Vec<_>>>()?;
    data(images, Tensor::new(labels, &Device::Cpu)?)
}

/// Images of four classes.
pub fn data(images: Tensor, labels: Tensor) -> Result<Dataset> {
    Dataset::new(images, labels)?.with_classes(["a", "b", "c", "d"])
}

/// Every number of a tensor.
pub fn values(tensor: &Tensor) -> Result<Vec<f64>> {
    Ok(tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}

/// The largest difference between two lists of equal length.
pub fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0., f64::max)
}
